"""One connection and the exchange on it. Accepts no answer whose end could be read in two ways (RFC 9112)."""

from __future__ import annotations

import asyncio
import re
import select
import ssl
from collections.abc import AsyncIterator
from typing import Protocol, cast

import httptools

from clearance.gateway.upstream.errors import UpstreamError
from clearance.gateway.upstream.request import OutRequest, framed
from clearance.gateway.upstream.response import Headers, Response

_MOST_HEAD_BYTES = 64 << 10  # of a head; and of bytes that are framing only, one after the other
_WITHOUT_BODY = frozenset({204, 304})
_REASON = re.compile(rb"[\t \x21-\x7e\x80-\xff]*")  # RFC 9112, section 4
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


class Keeper(Protocol):
    """Who is told what becomes of a connection."""

    def ended(self, connection: Connection, keep: bool, /) -> None:  # noqa: FBT001
        """Once for each exchange; `keep`: another may follow it."""

    def lost(self, connection: Connection, /) -> None:
        """Once, at last."""


class Connection(asyncio.Protocol):
    """Of one event loop. `name` is its host's, for messages."""

    def __init__(self, name: str, keeper: Keeper) -> None:
        self.idle_since = 0.0  # when its last exchange ended; 0: it had none
        self.response: Response | None = None
        self._name = name
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._sender: asyncio.Task[None] | None = None
        self._drained: asyncio.Event | None = None  # while what was written piles up

    # The exchange

    def exchange(self, head: bytes, request: OutRequest) -> Response:
        """Send; the answer begins when it begins."""
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._reason = b""
        self._bare = self._status = 0
        self._heard = False
        self._keep = self._whole = self._until_close = False
        self._is_head = request.method == b"HEAD"
        transport = self._transport
        self.response = Response(self._loop, give_up=self.fail, pause=self._pause, resume=self._resume)
        if isinstance(request.body, bytes):
            transport.write(head + request.body)
        else:
            transport.write(head)
            self._sender = self._loop.create_task(self._send(request.body, request.length))
        return self.response

    @property
    def is_open(self) -> bool:
        """And no end of it has been seen."""
        return not self._transport.is_closing()

    @property
    def is_silent(self) -> bool:
        """Open, and nothing to be read, not even its end: asked before a kept connection is used again."""
        return self.is_open and not self._poll.poll(0)

    @property
    def has_answered(self) -> bool:
        """Something came back in this exchange, or the last."""
        return self._heard

    def waited(self, now: float) -> float:
        """For how many seconds somebody has been waiting for what comes next."""
        return now - self.response.waits_since if self.response and self.response.waits_since else 0.0

    def abort(self) -> None:
        """Close it, idle as it is."""
        self._transport.abort()

    def fail(self, error: Exception) -> None:
        """End the exchange and the connection, at once."""
        response, self.response = self.response, None
        self._transport.abort()
        if self._sender is not None:
            self._sender.cancel()
        if response is not None:
            response.end(error)
            self._keeper.ended(self, False)

    async def _send(self, body: AsyncIterator[bytes], length: int | None) -> None:
        try:
            async for piece in framed(body, length):
                if not self.is_open:
                    break  # whoever waits for the answer is told so
                self._transport.write(piece)
                if self._drained is not None:
                    await self._drained.wait()
                if self.response is not None and self.response.waits_since:
                    self.response.waits_since = self._loop.time()
        except Exception as error:
            self._sender = None
            self.fail(error)
        self._sender = None

    def _pause(self) -> None:
        if self.is_open:
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self.is_open:
            self._transport.resume_reading()

    def _finish(self) -> None:
        response, self.response = self.response, None
        keep = self._keep and self._sender is None and not self._transport.is_closing()
        if self._sender is not None:
            self._sender.cancel()
        if keep:
            self._resume()  # the reader of this answer may be slow; the next one is another
        else:
            self._transport.abort()
        if response is not None:
            self.idle_since = self._loop.time()
            response.end()
            self._keeper.ended(self, keep)

    def _broken(self, how: str, reason: str) -> None:
        self.fail(UpstreamError(f"{self._name} {how}", reason=reason))

    def _was_said(self) -> bool:
        """Over TLS only the other side can end what has no length; without TLS whoever stands between can."""
        tls = self._transport.get_extra_info("ssl_object")
        try:
            return tls is None or tls.read(1) == b""
        except ssl.SSLError:  # nothing to read, and no end of it
            return False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own are no subclass of it
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), _READABLE)

    def data_received(self, data: bytes) -> None:
        if self.response is None:
            self._transport.abort()  # nobody asked
            return
        if not self._heard and not data.startswith(b"H"):  # the parser would pass over empty lines
            self._broken("sent something else than an answer.", "upstream_protocol")
            return
        self._heard = True
        self._bare += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._keep = False
            if not self._whole:
                self._broken("sent an answer that breaks the rules of HTTP.", "upstream_protocol")
        if self.response is not None:
            self.response.came()
        if self.response is None:
            return
        if self._whole:
            self._finish()
        elif self._bare > _MOST_HEAD_BYTES:
            self._broken("sent more framing than is taken.", "upstream_protocol")

    def eof_received(self) -> None:
        if self.response is not None and self._until_close and self._was_said():
            self._finish()

    def connection_lost(self, _: Exception | None) -> None:
        if self.response is not None:
            self._broken("closed the connection before its answer was whole.", "upstream_truncated")
        self.resume_writing()
        self._keeper.lost(self)

    def pause_writing(self) -> None:
        self._drained = asyncio.Event()

    def resume_writing(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    # The parser's callbacks. What they raise ends the exchange as a breach of the protocol.

    def on_message_begin(self) -> None:
        if self._whole:
            raise ValueError("bytes after the end")

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._status:  # else a trailer: not given on
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        status, headers = self._parser.get_status_code(), self._headers
        if self._bare > _MOST_HEAD_BYTES and sum(len(n) + len(v) + 4 for n, v in headers) > _MOST_HEAD_BYTES:
            raise ValueError("too large a head")
        framing = [header for header in headers if header[0] in (b"content-length", b"transfer-encoding")]
        if status == 101 or len(framing) > 1 or self._parser.get_http_version() not in ("1.0", "1.1"):
            raise ValueError("switched protocols, or of two lengths, or of an unknown version")
        if not _REASON.fullmatch(self._reason):
            raise ValueError("a reason with control characters")
        if status < 200:
            if framing:
                raise ValueError("an interim answer has no body")
            return
        chunked = bool(framing) and framing[0][0] == b"transfer-encoding"
        if chunked and (framing[0][1].lower() != b"chunked" or self._parser.get_http_version() != "1.1"):
            raise ValueError("a transfer coding that is not undone here")
        self._status = status
        empty = self._is_head or status in _WITHOUT_BODY
        self._until_close = not framing and not empty
        self._keep = self._parser.should_keep_alive() and not self._until_close
        self._whole = empty
        assert self.response is not None
        self.response.begin(status, self._reason, headers)

    def on_body(self, piece: bytes) -> None:
        if self._whole or self.response is None:
            raise ValueError("bytes after the end")
        self._bare = 0
        self.response.add(piece)

    def on_message_complete(self) -> None:
        if self._status:
            self._whole = True
        else:
            self._headers, self._reason = [], b""  # 100, 103: the answer is still to come
