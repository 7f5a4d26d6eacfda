"""Request bodies: read with a bound, decoded to exactly one type, or refused with a stable code."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

import msgspec

from clearance.core.dialects.once import named_once
from clearance.errors import RequestError

T = TypeVar("T")
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MOST_BYTES = 4 << 20  # a call with its whole arguments; results arrive cut


async def read(receive: Receive, most: int = MOST_BYTES) -> bytes:
    """The whole body. Raises RequestError past `most` bytes, or when the caller is gone."""
    message = await receive()
    chunk: bytes = message.get("body", b"")
    if not message.get("more_body") and message["type"] == "http.request":
        _bounded(len(chunk), most)
        return chunk
    chunks, size = [chunk], len(chunk)
    while message.get("more_body"):
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        _bounded(size, most)
    if message["type"] != "http.request":
        raise RequestError("The caller went away before its request was whole.", reason="caller_went_away")
    return b"".join(chunks)


def decode(body: bytes, kind: type[T]) -> T:
    """Raises RequestError naming the place and the type wanted, never the value given.

    A member that is named twice is refused: which of the two its sender will run cannot be told.
    """
    return _decoded(body, kind)[0]


def decode_object(body: bytes) -> tuple[dict[str, Any], bytes]:
    """The same of any JSON object, and its JSON as we write it."""
    return _decoded(body, dict)


def _decoded(body: bytes, kind: type[T]) -> tuple[T, bytes]:
    try:
        decoded = msgspec.json.decode(body, type=kind)
        return decoded, named_once(body, decoded if _is_whole(kind) else None)
    except msgspec.ValidationError as error:
        raise RequestError(
            f"The body does not fit: {_without_values(str(error))}.", reason=_code(error)
        ) from None
    except msgspec.DecodeError:
        raise RequestError("The body is not JSON.", reason="malformed_json") from None
    except UnicodeDecodeError:
        raise RequestError("The body is not UTF-8.", reason="not_utf8") from None
    except RecursionError:
        raise RequestError("The body is nested too deep.", reason="too_deep") from None


def _is_whole(kind: type[Any]) -> bool:
    """Whether what was read, written back, has no member that was left out of the body."""
    return kind is dict or getattr(getattr(kind, "__struct_config__", None), "omit_defaults", False)


def _bounded(size: int, most: int) -> None:
    if size > most:
        raise RequestError(f"The body is larger than {most} bytes.", reason="body_too_large")


def _without_values(message: str) -> str:
    return re.sub(r"^Invalid enum value .* - at ", "Not one of the allowed values - at ", message, flags=re.S)


def _code(error: msgspec.ValidationError) -> str:
    text = str(error)
    if text.startswith("Object contains unknown field"):
        return "unknown_field"
    if text.startswith("Object missing required field"):
        return "missing_field"
    return "wrong_type" if text.startswith("Expected") else "wrong_value"
