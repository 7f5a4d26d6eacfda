"""An answer as it arrives: head first, then each piece of the body at once. Nothing is collected unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from clearance.gateway.upstream.errors import UpstreamError

_MOST_UNREAD_BYTES = 256 << 10  # from here on the upstream is not read from until the reader has caught up
Headers = list[tuple[bytes, bytes]]


class Response:
    """Read it to its end, or `aclose` it: until then it holds one of its origin's connections.

    A read that is cancelled ends it: the upstream sees that nobody listens any more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        give_up: Callable[[Exception], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self.status = 0
        self.reason = b""
        self.headers: Headers = []  # names in lower case, as often and in the order that they came
        self.ended = False
        self.waits_since = 0.0  # when its reader began to wait; 0: nobody does
        self._loop = loop
        self._give_up, self._pause, self._resume = give_up, pause, resume
        self._pieces: list[bytes] = []
        self._unread = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._take: Callable[[bytes], bool] | None = None  # set while its reader waits in `relay`

    def __aiter__(self) -> Response:
        return self

    async def __anext__(self) -> bytes:
        """What came since the last one. Raises UpstreamError where the answer breaks off."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.ended:
                raise StopAsyncIteration
            try:
                await self._more()
            except asyncio.CancelledError:
                await self._leave()
                raise
        return self._taken()

    async def relay(self, take: Callable[[bytes], bool]) -> bool:
        """Give `take` what each read brings, at once: within that read, not in a later turn of the loop.

        Returns True when `take` has returned False, and wants what follows to wait; False at the end of the
        answer. Raises what `take` raises, and UpstreamError where the answer breaks off.
        """
        while True:
            if self._pieces:
                if not take(self._taken()):
                    return True
            elif self._error is not None:
                raise self._error
            elif self.ended:
                return False
            else:
                self._take = take
                try:
                    if await self._more():
                        return True
                except asyncio.CancelledError:
                    await self._leave()
                    raise
                finally:
                    self._take = None

    async def read(self, most: int) -> bytes:
        """The whole body. Raises UpstreamError, also when it is larger than `most` bytes."""
        pieces, size = [], 0
        async for piece in self:
            pieces.append(piece)
            size += len(piece)
            if size > most:
                await self.aclose()
                message = f"The upstream's answer is larger than {most} bytes."
                raise UpstreamError(message, reason="upstream_too_large")
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Let go of what has not been read; an answer that is not whole ends with its connection."""
        self._pieces.clear()
        if not self.ended:
            message = "The answer was let go before it was whole."
            self._give_up(UpstreamError(message, reason="upstream_truncated"))

    async def begun(self) -> None:
        """Return once the head is here."""
        while not self.status:
            if self._error is not None:
                raise self._error
            try:
                await self._more()
            except asyncio.CancelledError:
                await self._leave()
                raise

    def begin(self, status: int, reason: bytes, headers: Headers) -> None:
        """The head came. (This and what follows is the connection's.)"""
        self.status, self.reason, self.headers = status, reason, headers
        self._wake()

    def add(self, piece: bytes) -> None:
        """A piece of the body came."""
        self._pieces.append(piece)
        before, self._unread = self._unread, self._unread + len(piece)
        if before <= _MOST_UNREAD_BYTES < self._unread:
            self._pause()

    def came(self) -> None:
        """That was all of one read."""
        if not self._pieces:
            return
        if self._take is None:
            self._wake()
            return
        try:
            goes_on = self._take(self._taken())
        except Exception as error:  # the reader's own: it is raised where it reads
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(error)
            goes_on = False
        if goes_on:
            self.waits_since = self._loop.time()
        else:
            self._take = None
            self._wake(stopped=True)

    def end(self, error: Exception | None = None) -> None:
        """All came that will come. What was received before an error is read before it is raised."""
        self.ended, self._error = True, error
        self._wake()

    def _taken(self) -> bytes:
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._unread > _MOST_UNREAD_BYTES and not self.ended:
            self._resume()
        self._unread = 0
        return piece

    def _more(self) -> asyncio.Future[bool]:
        """Done when something is new; True if `take` wants no more."""
        self._waiter = self._loop.create_future()
        self.waits_since = self._loop.time()
        return self._waiter

    def _wake(self, *, stopped: bool = False) -> None:
        waiter, self._waiter, self.waits_since = self._waiter, None, 0.0
        if waiter is not None and not waiter.done():
            waiter.set_result(stopped)

    async def _leave(self) -> None:
        self._waiter, self.waits_since = None, 0.0
        await self.aclose()
