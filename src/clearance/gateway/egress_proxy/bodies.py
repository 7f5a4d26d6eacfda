"""A request's head and body off a stream: no byte too many, so that the next request is where it begins."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from clearance.errors import RequestError
from clearance.gateway.egress_proxy.heads import MOST_BYTES
from clearance.gateway.egress_proxy.link import Stream

_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[\t\x20-\x7e]*)?")
_MOST_LINE = 4_096  # of a chunk's size with its extensions, which are dropped


async def receive_head(stream: Stream) -> bytes:
    """Up to and with the empty line; nothing where the client ended before. Raises RequestError."""
    data = b""
    while True:
        at = data.find(b"\r\n\r\n", 0, MOST_BYTES)
        if at >= 0:
            stream.push_back(data[at + 4 :])
            return data[: at + 4]
        if len(data) >= MOST_BYTES:
            raise RequestError("The request's head is larger than 64 KiB.", reason="headers_too_large")
        if b"\n\n" in data or b"\0" in data:
            raise RequestError("A line ends in something else than CR LF.", reason="http_malformed")
        chunk = await stream.receive()
        if not chunk:
            if data:
                raise _gone()
            return b""
        data += chunk


class Body:
    """One body; iterating gives its bytes as they come. `is_whole` once all of it was given."""

    def __init__(self, stream: Stream, length: int | None) -> None:
        self._stream = stream
        self._shown: list[bytes] = []
        self._parts = self._chunked() if length is None else self._counted(length)
        self.is_whole = length == 0
        self.length = length
        self.given = 0

    async def peek(self, most: int) -> bytes | None:
        """All of it where it has no more than `most` bytes; it is given again by iterating."""
        size = 0
        if self.length is not None and self.length > most:
            return None
        async for part in self._parts:
            self._shown.append(part)
            size += len(part)
            if size > most:
                return None
        self.is_whole = True
        return b"".join(self._shown)

    def replace(self, data: bytes) -> None:
        """Give this instead of what was peeked at. Only once all of it was."""
        assert self.is_whole
        self._shown, self.length = [data], len(data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._shown:
            self.given += len(part)
            yield part
        if self.is_whole:
            return
        async for part in self._parts:
            self.given += len(part)
            yield part
        self.is_whole = True

    async def _counted(self, left: int) -> AsyncIterator[bytes]:
        while left:
            part = await self._some()
            if len(part) > left:
                self._stream.push_back(part[left:])
                part = part[:left]
            left -= len(part)
            yield part

    async def _chunked(self) -> AsyncIterator[bytes]:
        while True:
            size = _SIZE.fullmatch(await self._line())
            if size is None:
                raise RequestError("A chunk's size is malformed.", reason="framing")
            left = int(size[1], 16)
            if not left:
                break
            async for part in self._counted(left):
                yield part
            if await self._line():
                raise RequestError("A chunk is longer than its size.", reason="framing")
        if await self._line():
            raise RequestError("Trailers are not taken.", reason="framing")

    async def _line(self) -> bytes:
        data = b""
        while (at := data.find(b"\n", 0, _MOST_LINE)) < 0:
            if len(data) >= _MOST_LINE:
                raise RequestError("A chunk's size is malformed.", reason="framing")
            data += await self._some()
        self._stream.push_back(data[at + 1 :])
        if data[at - 1 : at] != b"\r" or b"\r" in data[: at - 1]:
            raise RequestError("A line ends in something else than CR LF.", reason="framing")
        return data[: at - 1]

    async def _some(self) -> bytes:
        part = await self._stream.receive()
        if not part:
            raise _gone()
        return part


def _gone() -> RequestError:
    return RequestError("The connection ended before the request was whole.", reason="caller_went_away")
