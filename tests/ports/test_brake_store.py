"""What every store of brakes promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from clearance.core.model import BreakGlass, Stop, StopKind, StopLevel
from clearance.errors import ConflictError, NotFoundError
from clearance.ports import BrakeStore, State

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=30)


@pytest.fixture
def brakes(state: State) -> BrakeStore:
    return state.brakes


def stop(kind: StopKind, name: str, *, level: StopLevel = StopLevel.PAUSED, **fields: Any) -> Stop:
    return Stop(kind=kind, name=name, level=level, reason="odd mails", by="ann", at=NOON, **fields)


def glass(name: str, *, minutes: int = 0) -> BreakGlass:
    at = NOON + timedelta(minutes=minutes)
    return BreakGlass(
        glass_id=name, agent="crm", tools=("refund*",), reason="down", by="ann", at=at, until=LATER
    )


def test_stops_are_listed_one_for_each_kind_and_name(brakes: BrakeStore) -> None:
    everything, agent = stop(StopKind.ALL, ""), stop(StopKind.AGENT, "crm", until=LATER)
    tool = stop(StopKind.TOOL, "crm", policy="breaker")
    for each in (tool, everything, agent):
        brakes.set_stop(each)
    assert brakes.stops() == [agent, everything, tool]


def test_a_new_stop_takes_the_place_of_the_one_before(brakes: BrakeStore) -> None:
    brakes.set_stop(stop(StopKind.AGENT, "crm"))
    before = brakes.revision()
    quarantined = stop(StopKind.AGENT, "crm", level=StopLevel.QUARANTINED)
    brakes.set_stop(quarantined)
    assert brakes.stops() == [quarantined]
    assert brakes.revision() > before


def test_a_stop_is_tightened_and_never_loosened(brakes: BrakeStore) -> None:
    held = stop(StopKind.AGENT, "crm", level=StopLevel.HELD, until=LATER)
    assert brakes.tighten_stop(held) == held
    paused = stop(StopKind.AGENT, "crm", until=NOON + timedelta(minutes=1))
    assert brakes.tighten_stop(paused) == replace(paused, until=LATER)
    before = brakes.revision()
    assert brakes.tighten_stop(held) is None
    assert brakes.stops() == [replace(paused, until=LATER)]
    assert brakes.revision() == before


def test_what_has_ended_does_not_tighten_what_comes_after(brakes: BrakeStore) -> None:
    brakes.set_stop(stop(StopKind.AGENT, "crm", level=StopLevel.QUARANTINED, until=NOON))
    held = stop(StopKind.AGENT, "crm", level=StopLevel.HELD)
    assert brakes.tighten_stop(held) == held


def test_a_lifted_stop_is_gone(brakes: BrakeStore) -> None:
    brakes.set_stop(stop(StopKind.AGENT, "crm"))
    before = brakes.revision()
    with pytest.raises(NotFoundError):
        brakes.lift_stop(StopKind.TEAM, "crm")
    assert brakes.revision() == before
    assert brakes.lift_stop(StopKind.AGENT, "crm") == stop(StopKind.AGENT, "crm")
    assert brakes.stops() == []
    assert brakes.revision() > before
    with pytest.raises(NotFoundError):
        brakes.lift_stop(StopKind.AGENT, "crm")


def test_broken_glass_is_listed_newest_first_and_while_it_holds(brakes: BrakeStore) -> None:
    old, new = glass("g1"), glass("g2", minutes=5)
    before = brakes.revision()
    brakes.add_glass(old)
    brakes.add_glass(new)
    assert brakes.glasses() == [new, old]
    assert brakes.glasses(open_at=LATER - timedelta(microseconds=1)) == [new, old]
    assert brakes.glasses(open_at=LATER) == []
    assert brakes.revision() > before
    with pytest.raises(ConflictError):
        brakes.add_glass(old)


def test_an_ended_glass_no_longer_holds(brakes: BrakeStore) -> None:
    brakes.add_glass(glass("g1"))
    before = brakes.revision()
    ended = replace(glass("g1"), ended_at=NOON + timedelta(minutes=1))
    assert brakes.end_glass("g1", NOON + timedelta(minutes=1)) == ended
    assert brakes.revision() > before
    assert brakes.end_glass("g1", LATER) == ended
    assert brakes.glasses(open_at=NOON) == [ended]
    assert brakes.glasses(open_at=NOON + timedelta(minutes=1)) == []
    with pytest.raises(NotFoundError):
        brakes.end_glass("g2", NOON)


def test_ending_a_glass_past_its_time_does_not_lengthen_it(brakes: BrakeStore) -> None:
    brakes.add_glass(glass("g1"))
    brakes.end_glass("g1", LATER + timedelta(minutes=10))
    assert brakes.glasses(open_at=LATER) == []
