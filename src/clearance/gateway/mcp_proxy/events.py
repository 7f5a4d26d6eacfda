"""Server-sent events, split without being changed. Knows no protocol that is spoken in them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from clearance.gateway.mcp_proxy.link import Frame
from clearance.gateway.upstream import UpstreamError

MOST_EVENT_BYTES = 32 << 20
# A blank line ends an event; lines end in CR LF, LF or CR (HTML, section 9.2.6).
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\r\n\n|\n\r\n")
_LINE = re.compile(rb"\r\n|\n|\r")


async def frames(pieces: AsyncIterator[bytes]) -> AsyncIterator[Frame]:
    """Each event as soon as it is whole. Raises UpstreamError for one that is too large, or breaks off."""
    buffer, looked = bytearray(), 0
    async for piece in pieces:
        buffer += piece
        while (end := _END.search(buffer, max(0, looked - 3))) is not None:
            raw = bytes(buffer[: end.end()])
            del buffer[: end.end()]
            looked = 0
            yield Frame(data_of(raw), raw)
        looked = len(buffer)
        if looked > MOST_EVENT_BYTES:
            message = f"An event is larger than {MOST_EVENT_BYTES} bytes."
            raise UpstreamError(message, reason="upstream_too_large")
    if buffer.strip():
        raise UpstreamError("The stream ended within an event.", reason="upstream_truncated")


def data_of(raw: bytes) -> bytes:
    """The data of one event; empty for a comment, or an event without."""
    found = []
    for line in _LINE.split(raw.removeprefix(b"\xef\xbb\xbf")):
        name, _, value = line.partition(b":")
        if name == b"data":
            found.append(value.removeprefix(b" "))
    return b"\n".join(found)


def has_id(raw: bytes) -> bool:
    """Whether a client can ask for what comes after this event."""
    return any(line.startswith(b"id:") for line in _LINE.split(raw))


def with_data(raw: bytes, message: bytes) -> bytes:
    """The same event with another message in it: its id and its kind stay."""
    kept = [line for line in _LINE.split(raw) if line and line.partition(b":")[0] != b"data"]
    return b"\n".join((*kept, b"data: " + message, b"", b""))


def event(message: bytes) -> bytes:
    """One message as an event of its own."""
    return b"event: message\ndata: " + message + b"\n\n"
