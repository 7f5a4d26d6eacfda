"""What runs now, and the one thread that looks at the brake while anything does. It decides nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from clearance.core.model import ActionCall, Reason
from clearance.errors import ClearanceError

Stopping = Callable[[ActionCall], "Reason | None"]
OnStop = Callable[[Reason], None]

_BEFORE_LOOKING_SECONDS = 0.1  # most actions have ended by then, and cost nothing
_UNREACHED_SECONDS = 0.5
_IDLE_SECONDS = 10.0
_LOG = logging.getLogger("clearance")


class Running:
    """One action. `reason` is set once it was told to stop."""

    __slots__ = ("_on_stop", "call", "reason")

    def __init__(self, call: ActionCall, on_stop: OnStop) -> None:
        self.call = call
        self.reason: Reason | None = None
        self._on_stop = on_stop

    def stop(self, reason: Reason) -> None:
        """Once."""
        if self.reason is None:
            self.reason = reason
            with suppress(Exception):  # it is ending: what it leaves behind, its own caller is told
                self._on_stop(reason)


class InFlight:
    """Thread-safe. `look` blocks until something may have changed, and gives what is asked of each action."""

    def __init__(self, look: Callable[[], Stopping]) -> None:
        self._look = look
        self._some = threading.Condition()
        self._running: set[Running] = set()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def begin(self, call: ActionCall, on_stop: OnStop) -> Running:
        """From now on `on_stop` is called, from another thread, when the brake is on for this call."""
        running = Running(call, on_stop)
        with self._some:
            self._running.add(running)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="clearance-brake", daemon=True)
                self._thread.start()
            elif len(self._running) == 1:
                self._some.notify()
        return running

    def end(self, running: Running) -> None:
        """It runs no longer. Ending twice is once."""
        with self._some:
            self._running.discard(running)

    @contextmanager
    def during(self, call: ActionCall, on_stop: OnStop) -> Iterator[Running]:
        """For as long as the block takes."""
        running = self.begin(call, on_stop)
        try:
            yield running
        finally:
            self.end(running)

    def close(self) -> None:
        """Look no more."""
        with self._some:
            self._is_closed = True
            self._some.notify()

    def _watch(self) -> None:
        while self._wait_for_some():
            time.sleep(_BEFORE_LOOKING_SECONDS)
            if not self._running:
                continue
            try:
                stopping = self._look()
                for running in self._now():
                    reason = stopping(running.call)
                    if reason is not None:
                        running.stop(reason)
            except ClearanceError as error:  # what runs was cleared; what is next is not, while it lasts
                if not self._is_closed:
                    _LOG.error("actions in flight cannot be watched (%s)", error.code)
                time.sleep(_UNREACHED_SECONDS)

    def _now(self) -> list[Running]:
        with self._some:
            return list(self._running)

    def _wait_for_some(self) -> bool:
        """False when there was nothing to watch for a while: the thread ends."""
        with self._some:
            while not self._running and not self._is_closed:
                if not self._some.wait(_IDLE_SECONDS) and not self._running:
                    break
            if self._running and not self._is_closed:
                return True
            self._thread = None
            return False
