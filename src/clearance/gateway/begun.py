"""Work begun at once, where no task runs; what of it has to wait is left to a task. Looks into no work."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any


class Begun:
    """Work that has begun and waits for something: it goes on, once, in the task that awaits this."""

    __slots__ = ("_waits_for", "_work")

    def __init__(self, work: Generator[Any, Any, None], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        yield self._waits_for
        yield from self._work


def begun(work: Awaitable[None]) -> Begun | None:
    """Do it as far as it goes without waiting; None when that is all of it. Raises what it raises."""
    running = work.__await__()
    try:
        return Begun(running, next(running))
    except StopIteration:
        return None
