"""Messages of the Model Context Protocol, read strictly and written back. Pure; knows no transport."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from clearance.core.dialects.once import named_once
from clearance.errors import RequestError

STATELESS: Final = ("2026-07-28",)  # revisions whose every request stands alone
SESSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")  # … that begin with `initialize`
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022
REFUSED: Final = -32003  # ours, in the range that JSON-RPC leaves to servers: not cleared

# By HTTP status, as the revision of 2026-07-28 has them; all others go with 200.
HTTP_STATUS: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
_MOST_ID: Final = 256  # characters
_MEMBERS: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_PARAMS: Final = frozenset({"name", "arguments", "uri", "_meta", "inputresponses", "requeststate"})
_SPELT: Final = _MEMBERS | {"name", "arguments", "uri", "_meta", "inputResponses", "requestState"}
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder()

RequestId = str | int


class Request(Struct, frozen=True, kw_only=True):
    """Something that is answered under `id`."""

    id: RequestId
    method: str
    params: dict[str, Any]


class Notification(Struct, frozen=True, kw_only=True):
    """Something that is not answered."""

    method: str
    params: dict[str, Any]


class Response(Struct, frozen=True, kw_only=True):
    """The answer to `id`: a result, or an error and no result. `id` is None where an error names none."""

    id: RequestId | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None = None


Message = Request | Notification | Response


def read_message(body: bytes) -> Message:
    """One message, of which every reader reads the same.

    Raises RequestError: not JSON, not one object, a member named twice or in two cases (the readers of some
    languages do not tell cases apart), an id that is none.
    """
    value = _decoded(body)
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        if isinstance(value, list):
            raise RequestError("A batch is not taken here: send each message by itself.", reason="mcp_batch")
        raise RequestError("The body is no JSON-RPC 2.0 message.", reason="mcp_message")
    _one_spelling(value, _MEMBERS)
    if "method" in value:
        return _asked(value)
    return _answered(value)


def request_id_of(body: bytes) -> RequestId | None:
    """The id to answer a message under that could not be read; None where it has none."""
    try:
        value = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if _is_id(found) else None


def write_request(request: Request) -> bytes:
    """On the wire."""
    return _ENCODER.encode(
        {"jsonrpc": "2.0", "id": request.id, "method": request.method, "params": request.params}
    )


def write_notification(method: str, params: dict[str, Any]) -> bytes:
    """On the wire."""
    return _ENCODER.encode({"jsonrpc": "2.0", "method": method, "params": params})


def write_result(request_id: RequestId, result: dict[str, Any]) -> bytes:
    """On the wire."""
    return _ENCODER.encode({"jsonrpc": "2.0", "id": request_id, "result": result})


def write_error(
    request_id: RequestId | None, code: int, message: str, data: dict[str, Any] | None = None
) -> bytes:
    """On the wire. An error to a message whose id could not be read has the id null."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data:
        error["data"] = data
    return _ENCODER.encode({"jsonrpc": "2.0", "id": request_id, "error": error})


def key_of(request_id: RequestId) -> str:
    """What tells ids apart: 1 and "1" are two."""
    return f"s{request_id}" if isinstance(request_id, str) else f"i{request_id}"


def meta_of(params: dict[str, Any]) -> dict[str, Any]:
    """`_meta` of a request or a result; empty where there is none, or no object."""
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) else {}


def is_stateless(params: dict[str, Any]) -> bool:
    """Whether a request names a revision in itself, as those do that know no session."""
    return VERSION_KEY in meta_of(params)


def _decoded(body: bytes) -> Any:
    try:
        value = _DECODER.decode(body)
        named_once(body, value)
    except msgspec.DecodeError:
        raise RequestError("The body is not JSON.", reason="malformed_json") from None
    except UnicodeDecodeError:
        raise RequestError("The body is not UTF-8.", reason="not_utf8") from None
    except RecursionError:
        raise RequestError("The body is nested too deep.", reason="too_deep") from None
    return value


def _asked(value: dict[str, Any]) -> Request | Notification:
    method, params = value["method"], value.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict) or "result" in value or "error" in value:
        raise RequestError("The body is no JSON-RPC 2.0 message.", reason="mcp_message")
    _one_spelling(params, _PARAMS)
    if "id" not in value:
        return Notification(method=method, params=params)
    if not _is_id(value["id"]):
        raise RequestError("The id of a request is a text or a whole number.", reason="mcp_id")
    return Request(id=value["id"], method=method, params=params)


def _answered(value: dict[str, Any]) -> Response:
    found, result, error = value.get("id"), value.get("result"), value.get("error")
    if ("result" in value) == ("error" in value):
        raise RequestError("An answer has a result or an error.", reason="mcp_message")
    if not (_is_id(found) or (found is None and error is not None)):
        raise RequestError("The id of an answer is a text or a whole number.", reason="mcp_id")
    if not isinstance(result if error is None else error, dict):
        raise RequestError("A result, or an error, is an object.", reason="mcp_message")
    return Response(id=found, result=result, error=error)


def _is_id(value: object) -> bool:
    # Exactly these: a bool is an int too.
    return type(value) is int or (type(value) is str and len(value) <= _MOST_ID)


def _one_spelling(members: dict[str, Any], known: frozenset[str]) -> None:
    if _SPELT.issuperset(members):
        return
    for name in members:
        if name not in _SPELT and name.casefold() in known:
            raise RequestError("The body names a member in another case.", reason="duplicate_member")
