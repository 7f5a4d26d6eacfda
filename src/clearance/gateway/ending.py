"""The end of a door: whom it answers is waited for, and at last told to stop. Clears and records nothing."""

from __future__ import annotations

import asyncio
from types import TracebackType

from clearance.gateway.upstream import UpstreamError

_LAST_SECONDS = 3.0  # to record what was cut off, and to tell its client


class StoppingError(UpstreamError):
    """The server stops: nothing new is taken, and what was under way ends here."""

    def __init__(self, *, sent: bool = True) -> None:
        message = "Clearance is about to stop; try again."
        super().__init__(message, reason="shutting_down", sent=sent)


class Ending:
    """Belongs to one event loop, and to one door: first it `drains`, at last it is `over`."""

    def __init__(self) -> None:
        self.is_draining = False
        self.is_over = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._waiting: set[MayEnd] = set()

    def answering(self) -> Answering:
        """A block in which the current task answers a request: it is waited for.

        Raises StoppingError for a new one.
        """
        return Answering(self, self._tasks)

    def may_end(self, *, at_once: bool = False) -> MayEnd:
        """A block that only waits for somebody else: it may raise StoppingError, once the door is over.

        `at_once`: as soon as it drains, since what the block waits for may never come.
        """
        return MayEnd(self, self._waiting, at_once=at_once)

    async def drain(self) -> None:
        """Take nothing new. Returns once nothing is under way."""
        self.is_draining = True
        self._cut()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """What is under way ends here; who even then does not (its client reads no more) is cancelled."""
        self.is_draining = self.is_over = True
        self._cut()
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=_LAST_SECONDS)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)

    def _cut(self) -> None:
        for block in tuple(self._waiting):
            block.look()


class Answering:
    """See `Ending.answering`. A stream may be in it for hours."""

    __slots__ = ("_ending", "_task", "_tasks")

    def __init__(self, ending: Ending, tasks: set[asyncio.Task[object]]) -> None:
        self._ending = ending
        self._tasks = tasks

    def __enter__(self) -> None:
        if self._ending.is_draining:
            raise StoppingError(sent=False)
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._tasks.add(task)

    def __exit__(self, *_: object) -> None:
        self._tasks.discard(self._task)


class MayEnd:
    """See `Ending.may_end`. Around every wait of a stream: it has to be cheap."""

    __slots__ = ("_at_once", "_ending", "_is_cut", "_task", "_waiting")

    def __init__(self, ending: Ending, waiting: set[MayEnd], *, at_once: bool) -> None:
        self._ending = ending
        self._waiting = waiting
        self._at_once = at_once
        self._is_cut = False
        self._task: asyncio.Task[object] | None = None

    def look(self) -> None:
        """Cut it short, if it is time."""
        if self._must_end() and not self._is_cut and self._task is not None:
            self._is_cut = True
            self._task.cancel()

    def __enter__(self) -> None:
        if self._must_end():
            raise StoppingError
        self._task = asyncio.current_task()
        self._waiting.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.discard(self)
        if not self._is_cut or self._task is None:
            return
        left = self._task.uncancel()
        if kind is not None and issubclass(kind, asyncio.CancelledError) and left == 0:
            raise StoppingError from None

    def _must_end(self) -> bool:
        return self._ending.is_over or (self._at_once and self._ending.is_draining)
