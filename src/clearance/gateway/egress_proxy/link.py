"""One TCP connection as chunks in and chunks out, with back-pressure both ways. Reads nothing into them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

_HIGH_WATER = 1 << 20  # bytes waiting on either side before the other is told to wait


class Stream(Protocol):
    """What both a connection and TLS over one are."""

    async def receive(self) -> bytes:
        """The next bytes as they came; none at the end. Raises ConnectionError."""

    async def send(self, data: bytes) -> None:
        """Returns once there is room for more. Raises ConnectionError."""

    def push_back(self, data: bytes) -> None:
        """Received again, before everything else."""

    def end(self) -> None:
        """Nothing more is sent; what comes is still received."""

    def close(self) -> None:
        """After what was sent has left."""

    def abort(self) -> None:
        """At once."""


class Link(asyncio.Protocol):
    """A `Stream` over a transport of asyncio. Belongs to one event loop; one task receives, one sends."""

    def __init__(self, on_open: Callable[[Link], None] | None = None) -> None:
        self._on_open = on_open
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._has_ended = False
        self._is_lost = False
        self._arrived: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._is_full = False
        self._is_paused = False
        self.received = 0
        self.sent = 0
        self.waits_since = 0.0  # when it began to wait for the other side; 0: it does not

    @property
    def peer(self) -> str:
        """The other side's address."""
        name = self._open.get_extra_info("peername") if self._transport is not None else None
        return str(name[0]) if name else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        if self._on_open is not None:
            self._on_open(self)

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._waiting += len(data)
        self.received += len(data)
        if self._waiting > _HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self._open.pause_reading()
        _wake(self._arrived)

    def eof_received(self) -> bool:
        self._has_ended = True
        _wake(self._arrived)
        return True  # half closed: the other direction goes on

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — which of them, tells nobody
        self._is_lost = True
        _wake(self._arrived)
        _wake(self._room)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        _wake(self._room)

    async def receive(self) -> bytes:
        while not self._chunks:
            if self._has_ended:
                return b""
            if self._is_lost:
                raise ConnectionResetError("the connection is lost")
            self._arrived = self._loop.create_future()
            await self._wait(self._arrived)
        data = self._chunks.popleft()
        self._waiting -= len(data)
        if self._is_paused and self._waiting <= _HIGH_WATER // 2:
            self._is_paused = False
            self._open.resume_reading()
        return data

    def push_back(self, data: bytes) -> None:
        if data:
            self._chunks.appendleft(data)
            self._waiting += len(data)

    async def send(self, data: bytes) -> None:
        if self._is_lost:
            raise ConnectionResetError("the connection is lost")
        self.sent += len(data)
        self._open.write(data)
        while self._is_full and not self._is_lost:
            self._room = self._loop.create_future()
            await self._wait(self._room)

    def end(self) -> None:
        if not self._is_lost and self._open.can_write_eof():
            self._open.write_eof()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, future: asyncio.Future[None]) -> None:
        self.waits_since = self._loop.time()
        try:
            await future
        finally:
            self.waits_since = 0.0

    @property
    def _open(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
