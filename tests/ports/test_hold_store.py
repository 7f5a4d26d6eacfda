"""What every store of holds promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from clearance.core.model import Hold, HoldStatus, Operation, Requirement, Shown
from clearance.errors import ConflictError
from clearance.ports import HoldQuery, HoldStore, State
from tests.ports.threads import at_once

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def holds(state: State) -> HoldStore:
    return state.holds


def hold(name: str, *, minutes: int = 0, **fields: Any) -> Hold:
    made = {
        "agent": "crm",
        "run_id": "run-a",
        "call_hash": "c" * 64,
        "expires_at": NOON + timedelta(minutes=minutes + 10),
        **fields,
    }
    return Hold(
        hold_id=f"hold_{name}",
        action_id=f"act_{name}",
        requirements=(Requirement(policy="refunds", count=2),),
        shown=Shown(
            agent=made["agent"],
            run_id=made["run_id"],
            tool="refund",
            operation=Operation.UPDATE,
            arguments={"amount": 40, "to": ["é", None]},
        ),
        shown_hash="s" * 64,
        policy_version="3",
        binding="b" * 64,
        created_at=NOON + timedelta(minutes=minutes),
        mediation=msgspec.Raw(b'{"state":"held"}'),
        **made,
    )


def closed(one: Hold, status: HoldStatus) -> Hold:
    return replace(one, status=status, version=one.version + 1, closed_at=NOON)


def test_a_hold_is_found_whole(holds: HoldStore) -> None:
    holds.add_hold(hold("a"))
    found = holds.hold("hold_a")
    assert found == hold("a")
    assert found is not None
    assert msgspec.json.decode(found.mediation) == {"state": "held"}
    assert holds.hold("hold_b") is None


def test_a_holds_id_is_taken_once(holds: HoldStore) -> None:
    holds.add_hold(hold("a"))
    before = holds.revision()
    with pytest.raises(ConflictError):
        holds.add_hold(hold("a", agent="other"))
    assert (holds.hold("hold_a"), holds.revision()) == (hold("a"), before)


def test_holds_are_listed_newest_first_a_page_at_a_time(holds: HoldStore) -> None:
    made = [hold(f"{minute:02}", minutes=minute) for minute in range(5)]
    for one in made:
        holds.add_hold(one)
    assert holds.holds(HoldQuery()) == made[::-1]
    assert holds.holds(HoldQuery(limit=2)) == [made[4], made[3]]
    assert holds.holds(HoldQuery(limit=2, before=made[3].created_at)) == [made[2], made[1]]
    assert holds.holds(HoldQuery(limit=0)) == []


def test_holds_are_listed_by_status_agent_and_run(holds: HoldStore) -> None:
    one, other, third = hold("a"), hold("b", minutes=1, agent="bot"), hold("c", minutes=2, run_id="run-b")
    for each in (one, other, third):
        holds.add_hold(each)
    denied = closed(third, HoldStatus.DENIED)
    assert holds.swap_hold(denied)
    assert holds.holds(HoldQuery(status=HoldStatus.PENDING)) == [other, one]
    assert holds.holds(HoldQuery(status=HoldStatus.DENIED)) == [denied]
    assert holds.holds(HoldQuery(agent="bot")) == [other]
    assert holds.holds(HoldQuery(agent="crm", run_id="run-b")) == [denied]
    assert holds.holds(HoldQuery(agent="bot", status=HoldStatus.DENIED)) == []


def test_the_newest_open_hold_of_the_same_call_is_found(holds: HoldStore) -> None:
    old, new = hold("a"), hold("b", minutes=1)
    others = [
        hold("c", minutes=2, agent="bot"),
        hold("d", minutes=2, run_id="run-b"),
        hold("e", minutes=2, call_hash="d" * 64),
    ]
    for each in (old, new, *others):
        holds.add_hold(each)
    assert holds.open_hold("crm", "run-a", "c" * 64) == new
    approved = replace(new, status=HoldStatus.APPROVED, version=2)
    assert holds.swap_hold(approved)
    assert holds.open_hold("crm", "run-a", "c" * 64) == approved
    assert holds.swap_hold(replace(approved, status=HoldStatus.TAKEN, version=3))
    assert holds.open_hold("crm", "run-a", "c" * 64) == old
    assert holds.swap_hold(closed(old, HoldStatus.VOID))
    assert holds.open_hold("crm", "run-a", "c" * 64) is None


def test_open_holds_whose_time_is_over_come_oldest_first(holds: HoldStore) -> None:
    made = [hold(f"{minute:02}", minutes=minute) for minute in (3, 1, 2, 0)]
    for one in made:
        holds.add_hold(one)
    assert holds.swap_hold(closed(made[3], HoldStatus.EXPIRED))
    assert holds.overdue_holds(made[2].expires_at) == [made[1], made[2]]
    assert holds.overdue_holds(NOON + timedelta(days=1), limit=1) == [made[1]]
    assert holds.overdue_holds(made[1].expires_at - timedelta(microseconds=1)) == []


def test_a_change_rests_on_the_version_that_is_stored(holds: HoldStore) -> None:
    holds.add_hold(hold("a"))
    before = holds.revision()
    approved = replace(hold("a"), status=HoldStatus.APPROVED, version=2)
    assert holds.swap_hold(approved)
    assert holds.revision() > before
    before = holds.revision()
    assert not holds.swap_hold(closed(hold("a"), HoldStatus.DENIED))
    assert not holds.swap_hold(replace(approved, version=4))
    assert not holds.swap_hold(replace(hold("b"), version=2))
    assert (holds.hold("hold_a"), holds.revision()) == (approved, before)


def test_of_threads_that_answer_the_same_hold_one_is_told_yes(holds: HoldStore) -> None:
    holds.add_hold(hold("a"))
    statuses = [HoldStatus.APPROVED, HoldStatus.DENIED] * 8
    answers = at_once(16, lambda number: holds.swap_hold(closed(hold("a"), statuses[number])))
    assert answers.count(True) == 1
    found = holds.hold("hold_a")
    assert found is not None
    assert found.version == 2
