"""Errors in each provider's own form, so that its clients raise what they always raise. Words none itself."""

from __future__ import annotations

from typing import Any

import msgspec

from clearance.core.dialects.answer import Dialect

_ENCODER = msgspec.json.Encoder()
_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_body(dialect: Dialect, status: int, *, code: str, message: str, request_id: str = "") -> bytes:
    """The body of an answer that is no success. `code` is ours, and stable."""
    return _ENCODER.encode(_error(dialect, status, code=code, message=message, request_id=request_id))


def error_event(dialect: Dialect, status: int, *, code: str, message: str, number: int = 0) -> bytes:
    """The last event of a stream that cannot go on. `number` is its place, where events are numbered.

    Of Responses it is documented flat and sent nested, and OpenAI's client raises only the nested form: both.
    """
    event = _error(dialect, status, code=code, message=message)
    if dialect is Dialect.RESPONSES:
        event |= {"type": "error", "code": code, "message": message, "param": None, "sequence_number": number}
    name = b"" if dialect is Dialect.CHAT else b"event: error\n"
    return name + b"data: " + _ENCODER.encode(event) + b"\n\n"


def _error(dialect: Dialect, status: int, *, code: str, message: str, request_id: str = "") -> dict[str, Any]:
    if dialect is Dialect.MESSAGES:
        kind = _ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
        error = {"type": kind, "message": message, "code": code}
        return {"type": "error", "error": error, "request_id": request_id or None}
    kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
