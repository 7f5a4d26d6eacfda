"""A stop that was set while nothing could be recorded comes into the record, once, by whoever finds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clearance.adapters.store import MemoryJournal, MemoryState
from clearance.core.drafts import ADMINISTRATION_RUN, AdministrationBody
from clearance.core.model import StopKind, StopLevel
from clearance.errors import StoreError
from clearance.runtime.audit import Audit
from clearance.runtime.brake import Brake
from clearance.runtime.late import NoAudit, record_missing

AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def test_a_stop_that_nobody_recorded_is_recorded_late_and_once() -> None:
    journal, state = MemoryJournal(), MemoryState()
    gone = Brake(state.brakes, NoAudit(), clock=lambda: AT, new_id=str)
    gone.set(StopKind.AGENT, "a", StopLevel.PAUSED, reason="odd", by="local:o")
    later = AT + timedelta(minutes=1)
    assert record_missing(state.brakes, journal, clock=lambda: AT) == 0, "it may still be under way"
    assert [record_missing(state.brakes, journal, clock=lambda: later) for _ in range(2)] == [1, 0]
    body = journal.run(ADMINISTRATION_RUN)[1].decoded_as(AdministrationBody)
    assert (body.act, body.by, body.target, body.details["late"]) == ("brake.set", "local:o", "agent:a", True)


def test_a_stop_that_was_recorded_is_not_recorded_again() -> None:
    journal, state = MemoryJournal(), MemoryState()
    brake = Brake(state.brakes, Audit(journal, lambda: AT), clock=lambda: AT, new_id=str)
    brake.set(StopKind.ALL, "", StopLevel.PAUSED, reason="odd", by="person:o", seconds=600)
    assert record_missing(state.brakes, journal, clock=lambda: AT + timedelta(minutes=1)) == 0


def test_without_a_journal_nothing_is_loosened() -> None:
    brake = Brake(MemoryState().brakes, NoAudit(), clock=lambda: AT, new_id=str)
    with pytest.raises(StoreError):
        brake.break_glass("a", tools=["t"], reason="the shop is down", by="local:o")
