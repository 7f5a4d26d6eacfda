"""What the proxy itself answers: a status, a stable code, a sentence for the agent. Never a payload."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from msgspec import Struct

from clearance.core.model import CheckResult
from clearance.errors import AuthenticationError, RequestError
from clearance.gateway.egress_proxy.heads import Head
from clearance.gateway.errors import answer_to
from clearance.gateway.upstream import UpstreamError

_STATUS = {
    "headers_too_large": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "http_version": HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
    "upgrade_refused": HTTPStatus.NOT_IMPLEMENTED,
    "method_refused": HTTPStatus.METHOD_NOT_ALLOWED,
    "expectation_unknown": HTTPStatus.EXPECTATION_FAILED,
    "destination_unknown": HTTPStatus.BAD_GATEWAY,
}
_FORBIDDEN = frozenset(
    [
        "destination_private",
        "destination_own",
        "destination_port",
        "credential_in_clear",
        "body_unseen",
        "result_withheld",
        "result_unseen",
    ]
)
_NO_BODY = (b"HEAD",)


class Refusal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`code` is stable; `message` says what to do. With `hold_id`: the same request again, once approved."""

    code: str
    message: str
    action_id: str = ""
    hold_id: str = ""


class _Answer(Struct, frozen=True):
    error: Refusal


def refusal_of(result: CheckResult) -> Refusal:
    """Of an action that was not cleared."""
    return Refusal(
        code=result.reason_code, message=result.reason, action_id=result.action_id, hold_id=result.hold_id
    )


def refusal_to(error: Exception) -> tuple[HTTPStatus, Refusal]:
    """Of a failure, whatever it is."""
    if isinstance(error, UpstreamError):
        return error.status, Refusal(code=error.reason, message=str(error))
    status, told = answer_to(error)
    if isinstance(error, AuthenticationError):
        status = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    if isinstance(error, RequestError):
        status = HTTPStatus.FORBIDDEN if error.reason in _FORBIDDEN else _STATUS.get(error.reason, status)
    return status, Refusal(code=told.error.code, message=told.error.message)


def answer(status: HTTPStatus, refusal: Refusal, head: Head | None, *, keeps_alive: bool) -> bytes:
    """Whole. The code is the reason phrase, too: of an answer to CONNECT, clients show nothing else."""
    accept = b"" if head is None else head.get(b"accept")
    if b"json" in accept:
        kind, body = "application/json", msgspec.json.encode(_Answer(refusal))
    else:
        kind = "text/plain; charset=utf-8"
        body = f"Refused by Clearance: {refusal.message} [{refusal.code}]\n".encode()
    lines = [
        f"HTTP/1.1 {status.value} {refusal.code}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        f"clearance-reason: {refusal.code}",
    ]
    if refusal.action_id:
        lines.append(f"clearance-action: {refusal.action_id}")
    if refusal.hold_id:
        lines.append(f"clearance-hold: {refusal.hold_id}")
    if status is HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        lines.append('proxy-authenticate: Basic realm="clearance"')
    if not keeps_alive:
        lines.append("connection: close")
    bare = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return bare if head is not None and head.method in _NO_BODY else bare + body
