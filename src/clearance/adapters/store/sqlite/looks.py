"""How often one looks whether another process has changed something. Knows no database."""

from __future__ import annotations

import time
from threading import get_ident

from clearance.ports import CallSoon


class Looks:
    """One look serves `seconds`; in the thread of an event loop that it follows, one whole turn of that loop.

    What comes with a turn was sent before the turn began, so a look within it sees whatever was changed by
    then; what waits for something goes on in a later turn, and looks again.
    """

    __slots__ = ("_call_soon", "_is_turn", "_looper", "_seconds", "_until")

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._looper = 0  # the thread of the loop that is followed
        self._call_soon: CallSoon | None = None
        self._is_turn = False  # there was a look in this turn

    def follow_turns(self, call_soon: CallSoon | None) -> None:
        """`call_soon` of the loop that runs in this thread; None: it has ended."""
        self._is_turn, self._call_soon = False, call_soon
        self._looper = 0 if call_soon is None else get_ident()

    @property
    def is_fresh(self) -> bool:
        """Whether the last look still serves."""
        if self._is_turn and self._looper == get_ident():
            return True
        return time.monotonic() < self._until

    def looked(self) -> None:
        """Just now."""
        if self._looper != get_ident():
            self._until = time.monotonic() + self._seconds
        elif self._call_soon is not None:
            self._is_turn = True
            self._call_soon(self._end_turn)

    def look_again(self) -> None:
        """The last look serves no more."""
        self._is_turn, self._until = False, 0.0

    def _end_turn(self) -> None:
        self._is_turn = False
