"""One request as an action, and back: what policies see of it, and what of it they changed."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from clearance.core.model import ActionCall, CheckResult, ObligationKind, Transform
from clearance.errors import RequestError
from clearance.gateway.egress_proxy.bodies import Body
from clearance.gateway.egress_proxy.heads import Head
from clearance.gateway.egress_proxy.places import Place

REQUEST = "http_request"
TUNNEL = "http_tunnel"
_HONOURS = (ObligationKind.TRANSFORM, ObligationKind.INSPECT)
_UNSEEN = {"unseen": True}  # a text condition on it is unknown, and what is unknown is refused
# Values that say what a request does; of all others nothing is shown or recorded.
_SHOWN = frozenset(b"content-type x-http-method-override x-http-method x-method-override".split())
_URL_SAFE = "/?&=%:@!$'()*+,;~-._"


def tunnel_call(place: Place, run_id: str) -> ActionCall:
    """What is done inside cannot be seen, so its operation is unknown: every rule that limits one counts."""
    return ActionCall(action=TUNNEL, arguments={"url": place.url("https")}, run_id=run_id)


async def request_call(
    head: Head, place: Place, scheme: str, target: str, body: Body, *, shown: int, run_id: str
) -> ActionCall:
    """The body as text if it is one of at most `shown` bytes; otherwise it says that it is not seen."""
    arguments: dict[str, Any] = {"method": head.method.decode("ascii"), "url": place.url(scheme, target)}
    headers = {name.decode(): value.decode("latin-1") for name, value in head.headers if name in _SHOWN}
    if headers:
        arguments["headers"] = headers
    if head.has_body:
        arguments["body"] = _text(await body.peek(shown), head)
    return ActionCall(action=REQUEST, arguments=arguments, run_id=run_id, honours=_HONOURS)


def changed_target(call: ActionCall, result: CheckResult, target: str, body: Body) -> str:
    """The target to send, with what a policy took out; the body is changed in place.

    Raises RequestError where something has to be taken out that cannot be.
    """
    before, after = call.arguments, result.arguments
    unseen = before.get("body") is _UNSEEN
    for duty in result.obligations:
        if isinstance(duty, Transform) and unseen and _may_concern_body(duty):
            raise RequestError(
                "A policy takes things out of request bodies, and this one cannot be looked into.",
                reason="body_unseen",
            )
    if after is None:
        return target
    others = {key: value for key, value in before.items() if key not in ("url", "body")}
    base, text = before["url"].removesuffix(target), after.get("url")
    if {key: after.get(key) for key in others} != others or not isinstance(text, str):
        raise _not_applicable()
    if isinstance(before.get("body"), str) and after.get("body") != before["body"]:
        if not isinstance(after.get("body"), str):
            raise _not_applicable()
        body.replace(after["body"].encode())
    if text == before["url"]:
        return target
    if not text.startswith(base + "/") or urlsplit(text).fragment:
        raise _not_applicable()
    return quote(text.removeprefix(base), safe=_URL_SAFE)


def _may_concern_body(duty: Transform) -> bool:
    return bool(duty.patterns) or any(path.partition(".")[0] in ("body", "*") for path in duty.paths)


def _text(data: bytes | None, head: Head) -> Any:
    if data is None or head.get(b"content-encoding") not in (b"", b"identity"):
        return _UNSEEN
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _UNSEEN


def _not_applicable() -> RequestError:
    return RequestError(
        "A policy changes this request in a way that it cannot be sent in.", reason="body_unseen"
    )
