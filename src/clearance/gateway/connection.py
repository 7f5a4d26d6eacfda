"""One client's connection to the port, held to bounds that its server has none of. Judges no request.

What uvicorn leaves open: the size of a head, the time it takes, and trailers, which it puts among headers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_BYTES = 65_536  # of a head; of whatever else is no body: trailers, extensions of chunks
_SECONDS = 30.0  # for a head, or for the rest of a body that nobody reads any more
_VERSIONS = frozenset({"1.1", "1.0"})
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """Belongs to one event loop."""

    _in_head = True
    _loose = 0  # bytes since the last that were part of a body, or ended a head or a request
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._loose += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._loose > _MOST_BYTES:
            if self._is_idle:
                self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._in_head and self._loose:
            self._wait()
        elif self._in_head or not self._is_idle:  # else a body goes on that was answered already
            self._wait_no_longer()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else it is a trailer: whoever stands before us has not looked at it
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._loose = False, 0
        if self.parser.get_http_version() not in _VERSIONS:
            raise HttpParserError("another version of HTTP")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._loose = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._in_head:
            self._wait()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(_SECONDS, self._let_go)

    def _wait_no_longer(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _let_go(self) -> None:
        self._patience = None
        if self._is_idle:
            self.transport.close()
        else:  # an answer goes on, during which the next request need not be read
            self._wait()
