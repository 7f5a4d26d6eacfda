"""The models that an agent may call, as providers list them. Reads; what it leaves out is only hidden."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from clearance.core.decide import combine, is_liftable
from clearance.core.dialects.answer import Dialect
from clearance.core.model import (
    ActionCall,
    Context,
    Effect,
    Operation,
    OutcomeReport,
    OutcomeStatus,
    Principal,
)
from clearance.core.policy import History
from clearance.core.policy.bounds import out_of_bounds
from clearance.errors import RequestError
from clearance.gateway.body import decode
from clearance.gateway.departure import WhileHere
from clearance.gateway.doors import Receive, Scope, Send
from clearance.gateway.model_proxy.call import Parts
from clearance.gateway.model_proxy.headers import to_upstream
from clearance.gateway.model_proxy.places import Place, Work
from clearance.gateway.model_proxy.proposals import DOOR, HONOURS
from clearance.gateway.model_proxy.refusal import NotClearedError, ProxyError
from clearance.gateway.passage import Passage
from clearance.gateway.presented import presented_as_key
from clearance.gateway.upstream import UpstreamError
from clearance.runtime.reading import read_call
from clearance.wiring import utc_now

_MOST = 4 << 20  # bytes of a list
_ENCODER = msgspec.json.Encoder()


async def list_models(parts: Parts, place: Place, scope: Scope, receive: Receive, send: Send) -> None:
    """Cleared and recorded as one read."""
    caller = await parts.passage.identify(presented_as_key(scope))
    if place.model and _is_hidden(parts.passage, caller.principal, place.model):
        raise _no_such_model()
    arguments = {"model": place.model} if place.model else {}
    check = await parts.passage.clear(
        ActionCall(action=place.action, operation=Operation.READ, resource="models", arguments=arguments),
        caller.principal,
        door=DOOR,
    )
    if not check.allowed:
        raise NotClearedError(check)
    try:
        async with WhileHere(receive):
            body = await (_one if place.work is Work.MODEL else _all)(parts, place, scope, caller.principal)
    except BaseException:
        report = OutcomeReport(status=OutcomeStatus.FAILED, error="no list came")
        await parts.passage.told(check.action_id, report)
        raise
    await parts.passage.told(check.action_id, OutcomeReport(status=OutcomeStatus.SUCCEEDED))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _one(parts: Parts, place: Place, scope: Scope, _: Principal) -> bytes:
    way = parts.routes.way(place.model, place.dialect)
    found = await _asked(parts, place, scope, way.upstreams, way.model)
    return _ENCODER.encode({**found, "id": place.model})


async def _all(parts: Parts, place: Place, scope: Scope, principal: Principal) -> bytes:
    """Every provider's list, and what routes name; each model once."""
    models: dict[str, dict[str, Any]] = {}
    for name in parts.routes.all_of(place.dialect):
        listed = await _asked(parts, place, scope, (name,), "")
        data = listed.get("data")
        for model in data if isinstance(data, list) else ():
            if isinstance(model, dict) and isinstance(model.get("id"), str):
                models.setdefault(model["id"], model)
    for named in parts.routes.named(place.dialect):
        models.setdefault(named, _entry(place.dialect, named))
    shown = [model for name, model in models.items() if not _is_hidden(parts.passage, principal, name)]
    if place.dialect is Dialect.MESSAGES:
        first, last = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
        return _ENCODER.encode({"data": shown, "has_more": False, "first_id": first, "last_id": last})
    return _ENCODER.encode({"object": "list", "data": shown})


def _entry(dialect: Dialect, name: str) -> dict[str, Any]:
    if dialect is Dialect.MESSAGES:
        return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
    return {"id": name, "object": "model", "created": 0, "owned_by": "clearance"}


async def _asked(
    parts: Parts, place: Place, scope: Scope, upstreams: tuple[str, ...], model: str
) -> dict[str, Any]:
    make = parts.sender.maker(
        place,
        model=model,
        headers=to_upstream(scope, place.dialect, ""),
        query=scope.get("query_string", b""),
        body=lambda _: b"",
    )
    _, response = await parts.upstreams.call(upstreams, make)
    raw = await response.read(_MOST)
    if response.status == HTTPStatus.NOT_FOUND:
        raise _no_such_model()
    try:
        if response.status != HTTPStatus.OK:
            raise RequestError("no list", reason="wrong_value")
        listed: dict[str, Any] = decode(raw, dict)
    except RequestError:
        message = f"The upstream answered {response.status} where a list of models was asked for."
        raise UpstreamError(message, reason="upstream_protocol") from None
    return listed


def _no_such_model() -> ProxyError:
    return ProxyError("There is no such model here.", reason="model_not_served", status=HTTPStatus.NOT_FOUND)


def _is_hidden(passage: Passage, principal: Principal, model: str) -> bool:
    """Whether policies refuse every call of it, whatever is counted. A call is cleared anew."""
    policies = passage.point.policies.current()
    call = ActionCall(action="chat_completions", operation=Operation.MODEL_CALL, arguments={"model": model})
    context = Context(run_id="", action_id="", at=utc_now(), door=DOOR, honours=HONOURS)
    request = read_call(call, passage.point.known_as(principal), context, policies)
    verdicts = policies.evaluate(request, History(policies))
    if (bound := out_of_bounds(request)) is not None:
        verdicts.append(bound)
    decision = combine(verdicts, (), policy_version=policies.version)
    return decision.effect is Effect.DENY and decision.reasons[0].certain and not is_liftable(decision)
