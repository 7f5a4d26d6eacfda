"""What a server says of the brake, waited for while something runs. One question at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from msgspec import Struct

from clearance.core.model import ActionCall, Reason
from clearance.core.model.names import canonical
from clearance.sdk.in_flight import Stopping

_WAIT_SECONDS = 25.0  # less than proxies give an idle connection
_SHORT_SECONDS = 1.0
_QUIET_SECONDS = 5.0
_FRESH_SECONDS = 0.25


class BrakeAnswer(Struct, frozen=True):
    """`GET /v1/brake` as an agent sees it."""

    revision: int
    stopped: Reason | None = None
    tools: dict[str, Reason] = {}

    def stopping(self, call: ActionCall) -> Reason | None:
        """Why this call has to end."""
        return self.stopped or (self.tools.get(canonical(call.action)) if self.tools else None)


class RemoteBrake:
    """`ask(since, wait_seconds)` is the question; it raises ClearanceError."""

    def __init__(self, ask: Callable[[int | None, float], BrakeAnswer]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._revision: int | None = None
        self._changed_at = 0.0
        self._fresh: tuple[float, BrakeAnswer] | None = None

    def look(self) -> Stopping:
        """For the watching thread: blocks until something changed, or for as long as nothing can be missed.

        An action that was cleared just before a change begins to be watched just after it: so, for a while
        after one, nothing is waited for longer than a second.
        """
        is_quiet = time.monotonic() - self._changed_at > _QUIET_SECONDS
        answer = self._ask(self._revision, _WAIT_SECONDS if is_quiet else _SHORT_SECONDS)
        if answer.revision != self._revision:
            self._revision, self._changed_at = answer.revision, time.monotonic()
        return answer.stopping

    def now(self) -> Stopping:
        """For code that asks by itself, however often: the server is asked four times a second at most."""
        with self._lock:
            if self._fresh is None or time.monotonic() - self._fresh[0] > _FRESH_SECONDS:
                answer = self._ask(None, 0.0)
                self._fresh = (time.monotonic(), answer)
            return self._fresh[1].stopping
