"""What is under way, looked at once a second: stopped by the brake, or let go when nothing moves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from clearance.core.model import ActionCall, Principal, Reason
from clearance.runtime.control_point import ControlPoint

_EVERY_SECONDS = 1.0
_BLIND_SECONDS = 5  # the brake cannot be read for so long: nothing cleared goes on
_STOPPED = "The server stopped."
_LOG = logging.getLogger("clearance")


class Running:
    """One cleared action, carried out by the task that began it. `stopped` once it was told to end."""

    __slots__ = ("call", "principal", "stopped", "task")

    def __init__(self, call: ActionCall, principal: Principal, task: asyncio.Task[Any]) -> None:
        self.call = call
        self.principal = principal
        self.task = task
        self.stopped = ""

    def stop(self, why: str) -> None:
        """Once."""
        if not self.stopped:
            self.stopped = why
            self.task.cancel()


class Watch:
    """Belongs to one event loop. `tend` is called in every round."""

    def __init__(self, point: ControlPoint, tend: Callable[[], None]) -> None:
        self._point = point
        self._tend = tend
        self._running: set[Running] = set()
        self._blind = 0
        self.is_over = False

    def begin(self, call: ActionCall, principal: Principal) -> Running:
        """The current task carries it out, until `end`."""
        task = asyncio.current_task()
        assert task is not None
        running = Running(call, principal, task)
        self._running.add(running)
        if self.is_over:
            running.stop(_STOPPED)
        return running

    def end(self, running: Running) -> None:
        """It is done."""
        self._running.discard(running)

    def stop_all(self) -> None:
        """What is carried out, and whatever begins from now on: the server stops."""
        self.is_over = True
        for each in self._running:
            each.stop(_STOPPED)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            self._tend()
            if self._running:
                await self._look(tuple(self._running))

    async def _look(self, running: tuple[Running, ...]) -> None:
        def reasons() -> list[Reason | None]:
            return [self._point.stopping(each.call, each.principal) for each in running]

        try:
            found = await asyncio.to_thread(reasons)
            self._blind = 0
        except Exception as error:  # whatever it is: a watch that ended would watch nothing
            self._blind += 1
            _LOG.error("the brake could not be read (%s)", type(error).__name__)
            if self._blind >= _BLIND_SECONDS:
                for each in running:
                    each.stop("The brake could not be read; the action was stopped.")
            return
        for each, reason in zip(running, found, strict=True):
            if reason is not None:
                each.stop(reason.message)
