"""The headers that repeat what an MCP message says: both have to say the same. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clearance.core.dialects.mcp import (
    SESSIONS,
    STATELESS,
    VERSION_KEY,
    Message,
    Notification,
    Response,
    meta_of,
)
from clearance.errors import RequestError

VERSION: Final = "mcp-protocol-version"
METHOD: Final = "mcp-method"
NAME: Final = "mcp-name"
SESSION: Final = "mcp-session-id"
PARAM_PREFIX: Final = "mcp-param-"
NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

_SPOKEN: Final = frozenset({*STATELESS, *SESSIONS})
_ROUTING: Final = frozenset({VERSION, METHOD, NAME, SESSION})
_ENCODED: Final = re.compile(r"=\?base64\?(.*)\?=")
_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def routing_headers(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Those of MCP, in lower case. Raises RequestError for one that is sent twice."""
    found: dict[str, str] = {}
    for raw, value in headers:
        lower = raw.lower()
        if not lower.startswith(b"mcp-"):
            continue
        name = lower.decode("latin-1")
        if name in _ROUTING or name.startswith(PARAM_PREFIX):
            if name in found:
                raise RequestError(f"The header {name} is sent twice.", reason="mcp_header_mismatch")
            found[name] = value.decode("latin-1").strip()
    return found


def agree(message: Message, headers: Mapping[str, str]) -> None:
    """Whether headers and message say the same, so that nothing on the way is told another thing.

    A revision that knows no sessions needs them; of the others, what is sent has to be true.
    Raises RequestError.
    """
    if isinstance(message, Response):
        return
    said = meta_of(message.params).get(VERSION_KEY)
    version = headers.get(VERSION, "")
    if said is not None and said != version:
        raise _mismatch(VERSION)
    if version and version not in _SPOKEN:
        raise RequestError("This revision of MCP is not spoken here.", reason="mcp_version")
    is_strict = version in STATELESS
    if is_strict and said is None and not isinstance(message, Notification):
        raise _mismatch(VERSION)
    needs_method = is_strict and not isinstance(message, Notification)
    if headers.get(METHOD, None if needs_method else message.method) != message.method:
        raise _mismatch(METHOD)
    _agree_on_name(message.method, message.params, headers, needed=is_strict)


def _agree_on_name(
    method: str, params: Mapping[str, Any], headers: Mapping[str, str], *, needed: bool
) -> None:
    member = NAMED_BY.get(method)
    if member is None:
        return  # the header means nothing here
    if NAME not in headers:
        if needed:
            raise _mismatch(NAME)
        return
    if decoded(headers[NAME]) != params.get(member):
        raise _mismatch(NAME)


def decoded(value: str) -> str | None:
    """What a header says, out of `=?base64?…?=` where it is put in it; None where that is malformed."""
    wrapped = _ENCODED.fullmatch(value)
    if wrapped is None:
        return value
    try:
        raw = base64.b64decode(wrapped[1], validate=True)
        # Two spellings of one text would let two readers read two things.
        return raw.decode("utf-8") if base64.b64encode(raw).decode() == wrapped[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def encoded(value: str) -> str:
    """A text as a header may carry it."""
    if (value == "" or _PLAIN.fullmatch(value)) and not _ENCODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def _mismatch(header: str) -> RequestError:
    return RequestError(
        f"The header {header} and the message do not say the same.", reason="mcp_header_mismatch"
    )
