"""The brake: what tightens holds at once and with the journal down; what loosens is recorded first."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from clearance.adapters.store import MemoryJournal, MemoryState
from clearance.core.drafts import ADMINISTRATION_RUN, AdministrationBody
from clearance.core.model import (
    Agent,
    BreakGlass,
    Durability,
    Grant,
    Principal,
    Stop,
    StopKind,
    StopLevel,
)
from clearance.core.policy.posture import Posture
from clearance.errors import NotFoundError, RequestError, StoreError
from clearance.runtime.audit import Audit
from clearance.runtime.brake import Brake
from clearance.runtime.quarantine import brake_of

AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class Journal(MemoryJournal):
    """One that can be down."""

    is_down = False

    def append(self, drafts: Any, *, durability: Durability = Durability.POWER) -> Any:
        if self.is_down:
            raise StoreError("the disk is full")
        return super().append(drafts, durability=durability)


class Bench:
    """A brake over stores in memory, with a clock to set, and what was told to whom."""

    def __init__(self) -> None:
        self.now = AT
        self.journal, self.state = Journal(), MemoryState()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.voided: list[str] = []
        ids = count(1)
        self.brake = brake_of(
            self.state,
            Audit(self.journal, lambda: self.now),
            clock=lambda: self.now,
            new_id=lambda kind: f"{kind}_{next(ids)}",
            tell=lambda kind, body: self.told.append((kind, body)),
            void_agent=lambda agent, *, why: self.voided.append(agent),
        )

    def acts(self) -> list[tuple[str, str, str]]:
        bodies = [r.decoded_as(AdministrationBody) for r in self.journal.run(ADMINISTRATION_RUN)[1:]]
        return [(body.act, body.by, body.target) for body in bodies]

    def pause(self, name: str = "a", **more: Any) -> Stop:
        return self.brake.set(
            StopKind.AGENT, name, StopLevel.PAUSED, **{"reason": "odd", "by": "person:o", **more}
        )

    def stopped(self, agent: str = "a", tool: str = "t", **who: Any) -> StopLevel | None:
        stop = self.brake.posture().stop_of(Principal(agent=agent, **who), tool, at=self.now)
        return None if stop is None else stop.level


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_stop_holds_at_once_is_recorded_and_told(bench: Bench) -> None:
    assert bench.stopped() is None
    bench.pause()
    assert bench.stopped() is StopLevel.PAUSED
    assert bench.stopped("b") is None
    assert bench.acts() == [("brake.set", "person:o", "agent:a")]
    assert [kind for kind, _ in bench.told] == ["brake_set"]


def test_a_lifted_stop_holds_no_longer_and_says_who_lifted_it(bench: Bench) -> None:
    bench.pause()
    bench.brake.lift(StopKind.AGENT, "a", by="person:p", reason="looked at it")
    assert bench.stopped() is None
    assert bench.acts()[-1] == ("brake.lift", "person:p", "agent:a")
    assert bench.told[-1][0] == "brake_lifted"
    with pytest.raises(NotFoundError):
        bench.brake.lift(StopKind.AGENT, "a", by="person:p")


def test_a_stop_with_an_end_is_over_then_without_anybody_lifting_it(bench: Bench) -> None:
    bench.pause(seconds=60.0)
    bench.now += timedelta(seconds=59)
    assert bench.stopped() is StopLevel.PAUSED
    bench.now += timedelta(seconds=1)
    assert bench.stopped() is None
    assert bench.brake.stops() == []


def test_a_tool_is_stopped_however_it_is_spelt(bench: Bench) -> None:
    bench.brake.set(StopKind.TOOL, "sendEmail", StopLevel.PAUSED, reason="odd", by="person:o")
    assert bench.stopped(tool="send-email") is StopLevel.PAUSED
    bench.brake.lift(StopKind.TOOL, "Send Email", by="person:o")
    assert bench.stopped(tool="send-email") is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (StopKind.AGENT, ""),
        (StopKind.AGENT, " "),
        (StopKind.TEAM, ""),
        (StopKind.TOOL, "*"),
        (StopKind.TOOL, "--"),
        (StopKind.ALL, "x"),
    ],
)
def test_a_stop_names_exactly_whom_it_is_about(bench: Bench, kind: StopKind, name: str) -> None:
    with pytest.raises(RequestError):
        bench.brake.set(kind, name, StopLevel.PAUSED, reason="odd", by="person:o")
    assert bench.brake.stops() == []


@pytest.mark.parametrize("bad", [{"reason": " "}, {"seconds": 0.0}, {"seconds": -1.0}, {"seconds": 1e12}])
def test_a_stop_needs_a_reason_and_a_time_that_can_be(bench: Bench, bad: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        bench.pause(**bad)


def test_a_secret_in_a_reason_is_not_kept(bench: Bench) -> None:
    bench.pause(reason="it printed sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789")
    assert "abcdefghijklmnop" not in str(bench.brake.stops())


def test_with_the_journal_down_a_stop_holds_and_is_recorded_late(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.journal.is_down = True
    bench.pause()
    assert bench.stopped() is StopLevel.PAUSED
    assert bench.brake.unrecorded == 1
    assert bench.brake.record_late() == 0
    assert "not recorded" in caplog.text
    bench.journal.is_down = False
    assert bench.brake.record_late() == 1
    [body] = [r.decoded_as(AdministrationBody) for r in bench.journal.run(ADMINISTRATION_RUN)[1:]]
    assert (body.act, body.by, body.details["late"]) == ("brake.set", "person:o", True)
    assert bench.brake.unrecorded == 0


def test_with_the_journal_down_nothing_is_loosened(bench: Bench) -> None:
    bench.brake.set(StopKind.AGENT, "a", StopLevel.QUARANTINED, reason="odd", by="person:o")
    bench.journal.is_down = True
    with pytest.raises(StoreError):
        bench.brake.lift(StopKind.AGENT, "a", by="person:o")
    with pytest.raises(StoreError):
        bench.pause()  # milder than quarantine
    with pytest.raises(StoreError):
        bench.brake.break_glass("a", tools=["t"], reason="it is an emergency", by="person:o")
    assert bench.stopped() is StopLevel.QUARANTINED
    assert bench.brake.glasses() == []


def test_with_nobody_to_tell_a_stop_holds_all_the_same(bench: Bench) -> None:
    def down(kind: str, body: dict[str, Any]) -> None:
        raise StoreError("the outbox is gone")

    brake = Brake(
        bench.state.brakes, Audit(bench.journal, lambda: AT), clock=lambda: AT, new_id=str, tell=down
    )
    brake.set(StopKind.ALL, "", StopLevel.PAUSED, reason="odd", by="person:o")
    assert bench.stopped() is StopLevel.PAUSED


def _grant(grant_id: str, agent: str, tool: str = "t") -> Grant:
    return Grant(
        grant_id=grant_id,
        agent=agent,
        tool=tool,
        by="alice",
        created_at=AT,
        expires_at=AT + timedelta(hours=1),
    )


def test_quarantine_makes_holds_and_grants_void(bench: Bench) -> None:
    bench.state.grants.add_grant(_grant("g1", "a"))
    bench.state.grants.add_grant(_grant("g2", "b"))
    bench.brake.set(StopKind.AGENT, "a", StopLevel.QUARANTINED, reason="odd", by="person:o")
    assert bench.voided == ["a"]
    assert [grant.grant_id for grant in bench.state.grants.grants(valid_at=AT)] == ["g2"]
    revoked = bench.state.grants.grant("g1")
    assert revoked is not None
    assert revoked.revoked_by == "person:o"


def test_quarantine_of_a_team_or_a_tool_reaches_their_grants(bench: Bench) -> None:
    bench.state.agents.add_agent(Agent(name="a", team="red", created_at=AT))
    for grant in (_grant("g1", "a"), _grant("g2", "b", "sendEmail"), _grant("g3", "b")):
        bench.state.grants.add_grant(grant)
    bench.brake.set(StopKind.TEAM, "red", StopLevel.QUARANTINED, reason="odd", by="person:o")
    bench.brake.set(StopKind.TOOL, "send_email", StopLevel.QUARANTINED, reason="odd", by="person:o")
    assert [grant.grant_id for grant in bench.state.grants.grants(valid_at=AT)] == ["g3"]


def test_a_pause_leaves_grants_as_they_are(bench: Bench) -> None:
    bench.state.grants.add_grant(_grant("g1", "a"))
    bench.pause()
    assert len(bench.state.grants.grants(valid_at=AT)) == 1
    assert bench.voided == []


def _trip(level: StopLevel, *, seconds: float | None) -> Stop:
    until = None if seconds is None else AT + timedelta(seconds=seconds)
    return Stop(
        kind=StopKind.AGENT, name="a", level=level, reason="9 refused", by="policy:p", at=AT, until=until
    )


def test_a_breaker_never_makes_milder_or_shorter_what_a_person_set(bench: Bench) -> None:
    bench.pause()
    assert bench.brake.trip(_trip(StopLevel.HELD, seconds=60.0)) is None
    assert [(stop.level, stop.by) for stop in bench.brake.stops()] == [(StopLevel.PAUSED, "person:o")]
    tripped = bench.brake.trip(_trip(StopLevel.QUARANTINED, seconds=60.0))
    assert tripped is not None
    assert (tripped.level, tripped.until) == (StopLevel.QUARANTINED, None)


def test_broken_glass_is_an_alarm_a_record_and_a_notice(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, "clearance"):
        glass = bench.brake.break_glass("a", tools=["t"], reason="the shop is down", by="person:adm")
    assert glass.until - glass.at == timedelta(minutes=30)
    assert bench.acts() == [("glass.break", "person:adm", "a")]
    assert [kind for kind, _ in bench.told] == ["glass_broken"]
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    assert "shop" not in caplog.text


@pytest.mark.parametrize(
    "bad",
    [
        {"reason": "too short"},
        {"reason": "         x         "},
        {"seconds": 4 * 3_600.0 + 1},
        {"seconds": 0.0},
        {"tools": []},
        {"tools": ["--"]},
        {"agent": " "},
    ],
)
def test_glass_is_not_broken_without_a_reason_or_for_longer_than_four_hours(
    bench: Bench, bad: dict[str, Any]
) -> None:
    wanted: dict[str, Any] = {"agent": "a", "tools": ["t"], "reason": "the shop is down", **bad}
    with pytest.raises(RequestError):
        bench.brake.break_glass(wanted.pop("agent"), by="person:adm", **wanted)
    assert bench.brake.glasses() == []


def test_broken_glass_ends_by_hand_and_by_time(bench: Bench) -> None:
    first = bench.brake.break_glass("a", tools=["t"], reason="the shop is down", by="person:adm")
    second = bench.brake.break_glass("b", tools=["*"], reason="the shop is down", by="person:adm", seconds=60)
    bench.now += timedelta(seconds=1)
    bench.brake.end_glass(first.glass_id, by="person:adm")
    assert bench.told[-1][0] == "glass_ended"
    assert bench.brake.glasses() == [second]
    bench.now += timedelta(seconds=60)
    assert bench.brake.glasses() == []
    with pytest.raises(NotFoundError):
        bench.brake.end_glass("glass_x", by="person:adm")


def test_a_posture_is_the_same_object_until_something_changes(bench: Bench) -> None:
    before = bench.brake.posture()
    assert isinstance(before, Posture)
    assert bench.brake.posture() is before
    bench.state.brakes.add_glass(
        BreakGlass(
            glass_id="g", agent="a", tools=("*",), reason="r", by="b", at=AT, until=AT + timedelta(hours=1)
        )
    )
    assert bench.brake.posture() is not before
