"""One call of a model, from its request to its answer: cleared, sent, judged, recorded, shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from clearance.core.dialects.request import put_at
from clearance.core.model import ActionCall, Operation, OutcomeReport, OutcomeStatus
from clearance.errors import RequestError
from clearance.gateway.departure import ClientGone, WhileHere
from clearance.gateway.doors import Receive, Scope, Send
from clearance.gateway.model_proxy.answering import answer_of, passed_on
from clearance.gateway.model_proxy.arriving import Arrived, arrived, run_of
from clearance.gateway.model_proxy.call import Call, Parts, close
from clearance.gateway.model_proxy.headers import to_client, to_upstream, value_of
from clearance.gateway.model_proxy.places import Place, Work
from clearance.gateway.model_proxy.prices import NOTHING, Prices
from clearance.gateway.model_proxy.proposals import DOOR, HONOURS, Within
from clearance.gateway.model_proxy.refusal import NotClearedError, ProxyError, action_headers
from clearance.gateway.model_proxy.streaming import Streaming
from clearance.gateway.upstream import Response, UpstreamError

_ENCODER = msgspec.json.Encoder()
_MOST_ERROR = 1 << 20  # bytes of a provider's error that are passed on


async def converse(parts: Parts, place: Place, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request. Raises what is to be told to the client, unless its answer has begun."""
    asked = await arrived(parts.passage, parts.settings, place, scope, receive)
    way = parts.routes.way(asked.request.model, place.dialect)
    call = await _cleared(parts, asked)
    make = parts.sender.maker(
        place,
        model=way.model,
        headers=to_upstream(scope, place.dialect, asked.principal.agent),
        query=scope.get("query_string", b""),
        body=_body(call, way.model),
    )
    try:
        async with WhileHere(receive):
            with parts.ending.may_end():
                upstream, response = await parts.upstreams.call(way.upstreams, make)
            del asked, make  # a stream may be open for long: it keeps nothing of its request
            await _answered(parts, call, upstream, response, send)
    except ClientGone:
        if not call.is_closed:
            await _ended(parts, call, "cancelled: the client went away", {})
        raise
    except UpstreamError as error:
        await _ended(parts, call, f"{error.reason}: {error}", {} if error.sent else NOTHING)
        raise
    except asyncio.CancelledError:  # the server stops, and its client reads no more
        if not call.is_closed:
            await _ended(parts, call, "shutting_down: nobody read the answer", {})
        raise


async def _cleared(parts: Parts, asked: Arrived) -> Call:
    """In its run, with the results that it brings judged. Raises NotClearedError, and nothing is sent."""
    run, recorded = await run_of(asked, parts.passage, parts.conversations)
    body = await _with_judged_results(parts, asked, run.run_id)
    changed = body is not asked.body
    within = Within(principal=asked.principal, run_id=run.run_id)
    by_provider = await parts.proposals.clear_provider_tools(asked.request.provider_tools, within)
    check = await parts.passage.clear(
        ActionCall(
            action=asked.place.action,
            operation=Operation.MODEL_CALL,
            arguments=body,
            run_id=run.run_id,
            facts=_facts(parts.prices, asked),
            honours=HONOURS,
        ),
        asked.principal,
        door=DOOR,
        already_recorded=recorded,
        written=b"" if changed else asked.written,
    )
    if not check.allowed:
        await parts.proposals.ended(by_provider, OutcomeStatus.FAILED, "the request was refused")
        if check.hold_id:
            parts.conversations.remember_held(run, asked.chain)
        raise NotClearedError(check)
    if asked.chain.marks:
        parts.conversations.remember(run, asked.chain.marks[-1], len(asked.chain.marks))
    if check.arguments is not None:
        body, changed = check.arguments, True
    is_original = not changed and asked.is_as_written
    return Call(asked, run, check, None if is_original else body, by_provider)


async def _with_judged_results(parts: Parts, asked: Arrived, run_id: str) -> dict[str, Any]:
    body = asked.body
    if asked.request.has_nameless_results and parts.passage.point.policies.current().results:
        message = "Results of the old form name no call, and policies look at results: use `tools`."
        raise RequestError(message, reason="not_offered")
    for result in asked.request.results:
        shown = await parts.proposals.judge(result, run_id)
        if not shown:
            continue
        if isinstance(shown[0], str) and isinstance(result.value, Mapping):
            message = "The result of a tool was withheld, and has a form in which nothing can stand for it."
            raise ProxyError(message, reason="result_withheld", status=HTTPStatus.FORBIDDEN)
        body = put_at(body, result.path, shown[0])
    return body


def _facts(prices: Prices, asked: Arrived) -> dict[str, Any]:
    request = asked.request
    if asked.place.action == "count_tokens":
        return dict(NOTHING)
    tools = asked.body.get("tools")
    return {
        **prices.reserved(
            request.model,
            body_bytes=len(asked.raw),
            most_output=request.most_output,
            choices=request.choices,
        ),
        "message_count": len(request.items),
        "tool_count": len(tools) if isinstance(tools, list) else 0,
    }


def _body(call: Call, model: str) -> Any:
    """The body for an upstream, which may call the model by another name."""
    body = call.sent
    if model != call.asked.request.model:
        body = {**(call.asked.body if body is None else body), "model": model}
    written = call.asked.raw if body is None else _ENCODER.encode(body)
    return lambda _: written


async def _answered(parts: Parts, call: Call, upstream: str, response: Response, send: Send) -> None:
    """What came back: an error of the provider's, a stream, or an answer in one piece."""
    if response.status != HTTPStatus.OK:
        await _failed(parts, call, response, send)
        return
    kind = value_of(response.headers, b"content-type").lower()
    if value_of(response.headers, b"content-encoding").lower() not in ("", "identity"):
        await response.aclose()
        raise UpstreamError(
            "The upstream's answer is packed, which nobody asked for.", reason="upstream_protocol"
        )
    if kind.startswith("text/event-stream") and call.asked.place.work is Work.CONVERSE:
        call.let_go()
        await Streaming(parts, call, upstream, send).run(response)
        return
    with parts.ending.may_end():
        raw = await response.read(parts.settings.most_body_bytes)
    call.timing.first_piece()
    try:
        make = answer_of if call.asked.place.work is Work.CONVERSE else passed_on
        body = await make(parts, call, upstream, raw)
    except RequestError as error:
        message = f"The upstream's answer cannot be read ({error.reason}), so nobody is shown it."
        raise UpstreamError(message, reason="upstream_protocol") from None
    await send_whole(send, HTTPStatus.OK, call, response, body)


async def _failed(parts: Parts, call: Call, response: Response, send: Send) -> None:
    """A provider's error is told as it is, unless it speaks of our key."""
    status = response.status
    body = await response.read(_MOST_ERROR)
    await _ended(parts, call, f"the upstream answered {status}", NOTHING)
    if status < 400 or status == HTTPStatus.UNAUTHORIZED or parts.sender.holds_key(body):
        message = f"The upstream answered {status} to Clearance's own request; its operator has to look."
        raise ProxyError(message, reason="upstream_refused", status=HTTPStatus.BAD_GATEWAY)
    await send_whole(send, status, call, response, body)


async def send_whole(send: Send, status: int, call: Call, response: Response, body: bytes) -> None:
    """One answer in one piece, with the provider's headers that may pass and our own."""
    headers = [
        *to_client(response.headers),
        *action_headers(call.check.action_id, run_id=call.run.run_id),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _ended(parts: Parts, call: Call, error: str, measured: Mapping[str, float]) -> None:
    """It came to nothing. Without `measured`, what was held back for it is what it cost."""
    await close(parts, call, OutcomeReport(status=OutcomeStatus.FAILED, error=error), measured=measured)
