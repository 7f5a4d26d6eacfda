"""One TCP connection as chunks in and chunks out, with back-pressure both ways. Reads nothing into them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

_HIGH_WATER = 1 << 20  # bytes waiting on either side before the other is told to wait
_PIECE = 1 << 18  # bytes that may come at once; more do not stay in the processor's cache


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


class Arrivals:
    """Where all links of one event loop receive: what came is sent on, or copied, before more comes."""

    def __init__(self) -> None:
        self.space = memoryview(bytearray(_PIECE))

    def leave(self) -> None:
        """To a transport that has not sent all of it yet, and lets go of it when it has."""
        self.space = memoryview(bytearray(_PIECE))


class Link(asyncio.BufferedProtocol):
    """A `Stream` over a transport of asyncio. Belongs to one event loop; one task receives, one sends."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport  # once the connection is made
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._is_lost = True  # until it is made
        self._arrived: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._is_full = False
        self._is_paused = False
        self._other: Link | None = None
        self._over: asyncio.Future[None] | None = None
        self.received = 0
        self.sent = 0
        self.has_ended = False  # the other side; what it sent before may still be here
        # When it began to wait for the other side; joined, when something moved last. 0: it does not wait.
        self.waits_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._is_lost = False
        self._limit(_HIGH_WATER)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 — all that may come at once
        return self._arrivals.space

    def buffer_updated(self, count: int) -> None:
        self.received += count
        arrived = self._arrivals.space[:count]
        if self._other is None:
            self._keep(bytes(arrived))
        else:
            self.waits_since = self._other.waits_since = self._loop.time()
            if self._other._pass_on(arrived):
                self._arrivals.leave()

    def _keep(self, data: bytes) -> None:
        self._chunks.append(data)
        self._waiting += len(data)
        if self._waiting > _HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self._hold_on()
        _wake(self._arrived)

    def eof_received(self) -> bool:
        self.has_ended = True
        _wake(self._arrived)
        if self._other is not None:
            self._other.end()
            self._look_whether_over(self._other)
        return True  # half closed: the other direction goes on

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — which of them, tells nobody
        self._is_lost = True
        _wake(self._arrived)
        _wake(self._room)
        _wake(self._over)

    def pause_writing(self) -> None:
        self._is_full = True
        if self._other is not None:
            self._other._hold_on()

    def resume_writing(self) -> None:
        self._is_full = False
        _wake(self._room)
        if self._other is not None:
            self._other._go_on()
            self._look_whether_over(self._other)

    async def receive(self) -> bytes:
        while not self._chunks:
            if self.has_ended:
                return b""
            if self._is_lost:
                raise ConnectionResetError("the connection is lost")
            self._arrived = self._loop.create_future()
            await self._wait(self._arrived)
        data = self._chunks.popleft()
        self._waiting -= len(data)
        if self._is_paused and self._waiting <= _HIGH_WATER // 2:
            self._is_paused = False
            self._go_on()
        return data

    def push_back(self, data: bytes) -> None:
        if data:
            self._chunks.appendleft(data)
            self._waiting += len(data)

    async def send(self, data: bytes) -> None:
        if self._is_lost:
            raise ConnectionResetError("the connection is lost")
        self.sent += len(data)
        self._transport.write(data)
        while self._is_full and not self._is_lost:
            self._room = self._loop.create_future()
            await self._wait(self._room)

    async def join(self, other: Link) -> None:
        """Until both have ended or one is lost, what comes by either goes out by the other.

        No piece is received before the one before it was sent whole: nothing but that one waits here.
        """
        self._over = other._over = self._loop.create_future()
        self._other, other._other = other, self
        self.waits_since = other.waits_since = self._loop.time()
        self._limit(0)
        other._limit(0)
        try:
            self._hand_over(other)
            other._hand_over(self)
            self._look_whether_over(other)
            await self._over
        finally:
            self._other = other._other = None
            self.waits_since = other.waits_since = 0.0
            self._go_on()

    def _hand_over(self, other: Link) -> None:
        """What came before they were joined."""
        while self._chunks:
            other._pass_on(self._chunks.popleft())
        self._waiting, self._is_paused = 0, False
        if self.has_ended:
            other.end()
        if not other._is_full:
            self._go_on()

    def _pass_on(self, data: bytes | memoryview) -> bool:
        """Whether some of it is still here: then nothing may be written over it."""
        if self._is_lost:
            return False
        self.sent += len(data)
        self._transport.write(data)
        return self._transport.get_write_buffer_size() > 0

    def _look_whether_over(self, other: Link) -> None:
        have_ended = self.has_ended and other.has_ended and not self._is_full and not other._is_full
        if have_ended or self._is_lost or other._is_lost:
            _wake(self._over)

    def end(self) -> None:
        if not self._is_lost and self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        if not self._is_lost:
            self._transport.close()

    def abort(self) -> None:
        if not self._is_lost:
            self._transport.abort()

    async def _wait(self, future: asyncio.Future[None]) -> None:
        self.waits_since = self._loop.time()
        try:
            await future
        finally:
            self.waits_since = 0.0

    def _limit(self, high: int) -> None:
        if not self._is_lost:
            self._transport.set_write_buffer_limits(high=high)

    def _hold_on(self) -> None:
        if not self._is_lost:
            self._transport.pause_reading()

    def _go_on(self) -> None:
        if not self._is_lost:
            self._transport.resume_reading()


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
