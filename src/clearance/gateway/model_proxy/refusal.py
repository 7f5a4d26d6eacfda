"""What a client is told instead of an answer: status, stable code, sentence, and headers to go on with."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct

from clearance.core.dialects.answer import Dialect
from clearance.core.dialects.errors import error_body
from clearance.core.model import CheckResult, Judged, ReasonCode
from clearance.errors import ClearanceError, PolicyViolationError
from clearance.gateway.errors import answer_to
from clearance.gateway.model_proxy.headers import Header
from clearance.gateway.upstream import UpstreamError

_TRANSIENT = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_FINAL = (b"x-should-retry", b"false")  # the vendors' SDKs heed it


class NotClearedError(PolicyViolationError):
    """A call that was refused, or that waits for a person."""

    def __init__(self, check: CheckResult) -> None:
        super().__init__(check.reason, reason_code=check.reason_code, action_id=check.action_id)
        self.check = check


class WithheldError(PolicyViolationError):
    """An answer that came, and that nobody may see."""

    def __init__(self, judged: Judged, action_id: str) -> None:
        super().__init__(judged.reason, reason_code=judged.reason_code, action_id=action_id)


class ProxyError(ClearanceError):
    """This door's own failure to answer. `reason` is a stable code, `status` what the client gets."""

    code = "upstream_protocol"

    def __init__(self, message: str, *, reason: str, status: HTTPStatus) -> None:
        self.reason = reason
        self.status = status
        super().__init__(message)


class Told(Struct, frozen=True, kw_only=True):
    """An error as it is sent."""

    status: int
    headers: list[Header]
    body: bytes


class Worded(Struct, frozen=True):
    """An error in words."""

    status: HTTPStatus
    code: str
    message: str
    headers: list[Header] = []


def told(error: Exception, dialect: Dialect) -> Told:
    """Never a payload, never a stack; a refusal is not to be tried again, a failure may be."""
    said = worded(error)
    final = [] if said.status in _TRANSIENT else [_FINAL]
    headers = [(b"content-type", b"application/json"), *said.headers, *final]
    body = error_body(dialect, said.status, code=said.code, message=said.message)
    return Told(status=said.status, headers=headers, body=body)


def worded(error: Exception) -> Worded:
    """What may be said of it."""
    if isinstance(error, ProxyError | UpstreamError):
        return Worded(error.status, error.reason, str(error))
    if isinstance(error, NotClearedError):
        return _of_check(error.check)
    if isinstance(error, WithheldError):
        headers = action_headers(error.action_id)
        return Worded(HTTPStatus.FORBIDDEN, error.reason_code, error.reason, headers)
    status, answer = answer_to(error)
    return Worded(status, answer.error.code, answer.error.message)


def _of_check(check: CheckResult) -> Worded:
    headers = action_headers(check.action_id, run_id=check.run_id, hold_id=check.hold_id)
    lost = check.reason_code == ReasonCode.STORE_UNAVAILABLE
    status = HTTPStatus.SERVICE_UNAVAILABLE if lost else HTTPStatus.FORBIDDEN
    return Worded(status, check.reason_code, sentence(check), headers)


def sentence(check: CheckResult) -> str:
    """Why, for the agent; where a person is asked, how to go on."""
    if check.hold_id and check.hold_id not in check.reason:
        return f"{check.reason} (hold {check.hold_id})"
    return check.reason


def action_headers(action_id: str, *, run_id: str = "", hold_id: str = "") -> list[Header]:
    """What a client may show, or go on with."""
    named = ((b"clearance-action", action_id), (b"clearance-run", run_id), (b"clearance-hold", hold_id))
    return [(name, value.encode("latin-1", "replace")) for name, value in named if value]
