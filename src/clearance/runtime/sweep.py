"""Closes what nobody will report any more: as `unknown`, never as a guess."""

from __future__ import annotations

from datetime import timedelta

from clearance.core import drafts
from clearance.core.model import OutcomeStatus, Record
from clearance.ports import Journal
from clearance.runtime.mediator import Clock

_MOST_AT_ONCE = 200
_DIED = "the process that cleared it ended before an outcome was reported"
_SILENT = "no outcome was reported in time"


def close_left_behind(journal: Journal, clock: Clock) -> list[Record]:
    """Close the actions that dead processes cleared and never closed. Returns the closing records."""
    closed = _close(journal, [r for r in journal.in_flight() if not journal.is_alive(r.node)], _DIED, clock)
    journal.forget_dead()
    return closed


def close_overdue(journal: Journal, clock: Clock, *, after: timedelta) -> list[Record]:
    """Close this process's own actions whose report is overdue. Returns the closing records.

    Looks at the oldest only, a few at a time, however many are open: a server must not stop for it.
    """
    limit = clock() - after
    closed: list[Record] = []
    while True:
        oldest = journal.in_flight(limit=_MOST_AT_ONCE)
        overdue = [r for r in oldest if r.node == journal.node and r.at < limit]
        closed += _close(journal, overdue, _SILENT, clock)
        if len(overdue) < _MOST_AT_ONCE:
            return closed


def _close(journal: Journal, intents: list[Record], why: str, clock: Clock) -> list[Record]:
    told = drafts.told(OutcomeStatus.UNKNOWN, why=why)
    closing = [
        drafts.outcome(intent, at=clock(), status=OutcomeStatus.UNKNOWN, told=told) for intent in intents
    ]
    return journal.append(closing) if closing else []
