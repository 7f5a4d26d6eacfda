"""A request on its way out, and its bytes. The framing is written here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import lru_cache

from msgspec import Struct

# A client's own framing must not stand beside ours (RFC 9112, section 6.3; RFC 9110, section 7.6.1).
_OURS = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade"}
)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")  # RFC 9110, section 5.6.2
_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})  # of no length even when it is empty: 411 (RFC 9110, 8.6)


class OutRequest(Struct, frozen=True):
    """`headers` are end-to-end headers; Host and the framing are set here, whatever they hold.

    A body that is an iterator goes out as it comes: chunked, or with `length` if that many bytes will come.
    """

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None

    @property
    def is_safe(self) -> bool:
        """May be sent twice: it asks for no change (RFC 9110, section 9.2.1), and its body is at hand."""
        return self.method in (b"GET", b"HEAD", b"OPTIONS") and isinstance(self.body, bytes)


def head_of(request: OutRequest, authority: bytes) -> bytes:
    """Request line and headers. Raises ValueError for what would be read as more than one of each."""
    lines = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (request.method, request.target, authority)]
    lines += [b"%b: %b\r\n" % header for header in request.headers if _is_end_to_end(header[0])]
    if not isinstance(request.body, bytes):
        framing = (
            b"transfer-encoding: chunked"
            if request.length is None
            else b"content-length: %d" % request.length
        )
        lines.append(framing + b"\r\n")
    elif request.body or request.method in _WITH_BODY:
        lines.append(b"content-length: %d\r\n" % len(request.body))
    lines.append(b"\r\n")
    head = b"".join(lines)
    ends = len(lines) + 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head or lines[0].count(b" ") != 3:
        raise ValueError("a method, target or header holds a character that ends it")
    return head


async def framed(body: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """What goes out of a body that comes in pieces. Raises ValueError when it is not as long as was said."""
    if length is None:
        async for piece in body:
            if piece:
                yield b"%x\r\n%b\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"
        return
    async for piece in body:
        length -= len(piece)
        if length < 0:
            break
        yield piece
    if length:
        raise ValueError("the body has another length than was said")


@lru_cache(maxsize=1024)
def _is_end_to_end(name: bytes) -> bool:
    if not _TOKEN.fullmatch(name):
        raise ValueError("a header's name holds a character that ends it")
    return name.lower() not in _OURS
