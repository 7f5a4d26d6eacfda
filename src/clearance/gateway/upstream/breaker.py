"""The circuit breaker of one upstream: who fails again and again rests for a while. Reads no clock."""

from __future__ import annotations


class Breaker:
    """Closed, open, then half open: one call tries, and the others wait for what becomes of it."""

    __slots__ = ("_failures", "_open_after", "_open_seconds", "_open_until", "_probing")

    def __init__(self, *, open_after: int, open_seconds: float) -> None:
        self._open_after, self._open_seconds = open_after, open_seconds
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Half open, too: it has failed, and nothing has succeeded since."""
        return self._failures >= self._open_after

    def rests(self, now: float) -> bool:
        """Nobody may ask it now."""
        return self.is_open and (self._probing or now < self._open_until)

    def takes(self, now: float) -> bool:
        """Whether a call is made; of whoever is told yes, `succeeded`, `failed` or `gave_up` is heard."""
        if self.rests(now):
            return False
        self._probing = self.is_open
        return True

    def succeeded(self) -> None:
        """It answered."""
        self._failures, self._probing = 0, False

    def failed(self, now: float) -> None:
        """It did not, or said that it could not."""
        self._failures += 1
        self._open_until = now + self._open_seconds
        self._probing = False

    def gave_up(self) -> None:
        """The caller went away before it answered: that says nothing of it."""
        self._probing = False
