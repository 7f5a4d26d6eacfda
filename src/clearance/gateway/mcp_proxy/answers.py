"""What a client, or a server, is told of a refusal. Never names an argument, a result or a secret."""

from __future__ import annotations

from typing import Any, Final

from clearance.core import redact
from clearance.core.dialects.mcp import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    REFUSED,
    UNSUPPORTED_VERSION,
    Request,
    RequestId,
    is_stateless,
    request_id_of,
    write_error,
    write_result,
)
from clearance.core.dialects.mcp_actions import TOOL_CALL
from clearance.core.model import CheckResult
from clearance.errors import AuthenticationError, ClearanceError, RequestError

META: Final = "clearance"  # the key under `_meta`
_CODES: Final = {
    "malformed_json": PARSE_ERROR,
    "not_utf8": PARSE_ERROR,
    "too_deep": PARSE_ERROR,
    "mcp_header_mismatch": HEADER_MISMATCH,
    "mcp_version": UNSUPPORTED_VERSION,
    "mcp_method_unknown": METHOD_NOT_FOUND,
    "missing_field": INVALID_PARAMS,
    "wrong_type": INVALID_PARAMS,
    "wrong_value": INVALID_PARAMS,
    "bad_traceparent": INVALID_PARAMS,
}
_REPEAT: Final = " Nothing was run. Once it is approved, send the same call again with the same arguments."


class Refusal:
    """Why something is not carried: a sentence, a stable code, and what it is found by in the record."""

    __slots__ = ("action_id", "code", "hold_id", "message")

    def __init__(self, code: str, message: str, *, action_id: str = "", hold_id: str = "") -> None:
        self.code = code
        self.message = message
        self.action_id = action_id
        self.hold_id = hold_id

    @property
    def meta(self) -> dict[str, str]:
        found = {"reason_code": self.code, "action_id": self.action_id, "hold_id": self.hold_id}
        return {name: value for name, value in found.items() if value}


def refusal_of(result: CheckResult) -> Refusal:
    """Of an action that was decided against, or that waits for a person."""
    waits = _REPEAT if result.hold_id else ""
    return Refusal(
        result.reason_code, result.reason + waits, action_id=result.action_id, hold_id=result.hold_id
    )


def refusal_for(error: ClearanceError) -> Refusal:
    """Of an action that could not be decided, or recorded."""
    code = error.reason if isinstance(error, RequestError | AuthenticationError) else error.code
    return Refusal(code, redact.clean_text(str(error)))


def refused(request: Request, refusal: Refusal) -> bytes:
    """A tool's call is answered by a result that says so: agents read those, and seldom read errors."""
    if request.method != TOOL_CALL:
        return error(request.id, refusal, code=REFUSED)
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": refusal.message}],
        "isError": True,
        "_meta": {META: refusal.meta},
    }
    if is_stateless(request.params):
        result["resultType"] = "complete"
    return write_result(request.id, result)


def error(request_id: RequestId | None, refusal: Refusal, *, code: int | None = None) -> bytes:
    """A JSON-RPC error. `data` has the stable code."""
    known = _CODES.get(refusal.code, INVALID_REQUEST) if code is None else code
    return write_error(request_id, known, refusal.message, {"code": refusal.code, **refusal.meta})


def unreadable(message: bytes, failure: RequestError) -> bytes:
    """To a message that cannot be read, under its id where that much can be."""
    return error(request_id_of(message), refusal_for(failure))


def inner_error(request_id: RequestId | None) -> bytes:
    """For what nobody expected: its log names the place."""
    message = "Clearance failed inside; nothing was cleared. Its log names the place."
    return write_error(request_id, INTERNAL_ERROR, message, {"code": "internal_error"})
