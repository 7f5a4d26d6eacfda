"""Slows guessing down: after so many failures a key has to wait, longer each time. Memory stays bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

_FORGET = timedelta(minutes=30)


@dataclass(slots=True)
class _Failures:
    many: int
    last: datetime
    blocked_until: datetime
    is_told: bool = False


class Throttle:
    """`free` failures cost nothing; from then on the wait doubles from a second up to `longest`.

    Past `most` keys the one that failed longest ago is forgotten. Thread-safe.
    """

    def __init__(self, *, free: int, longest: timedelta, most: int = 10_000) -> None:
        self._free = free
        self._longest = longest
        self._most = most
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = threading.Lock()

    def attempt(self, key: str, at: datetime) -> bool:
        """Whether it may try now. A try counts as failed until told otherwise: many at once are many."""
        with self._lock:
            known = self._failures.get(key)
            if known is not None and at < known.blocked_until:
                return False
            many = 1 if known is None or at - known.last > _FORGET else known.many + 1
            self._failures[key] = _Failures(many, at, at + self._wait(many))
            self._failures.move_to_end(key)
            while len(self._failures) > self._most:
                self._failures.popitem(last=False)
            return True

    def is_first_refusal(self, key: str, at: datetime) -> bool:
        """Whether this is the first time in its present wait that it is turned away: True once a wait."""
        with self._lock:
            found = self._failures.get(key)
            if found is None or at >= found.blocked_until or found.is_told:
                return False
            found.is_told = True
            return True

    def succeeded(self, key: str) -> None:
        """Forget its failures."""
        with self._lock:
            self._failures.pop(key, None)

    def forgive(self, key: str) -> None:
        """Take the last try back; earlier ones still count."""
        with self._lock:
            known = self._failures.get(key)
            if known is not None:
                known.many -= 1
                known.blocked_until = known.last

    def _wait(self, many: int) -> timedelta:
        over = many - self._free - 1
        if over < 0:
            return timedelta()
        return min(timedelta(seconds=2 ** min(over, 20)), self._longest)
