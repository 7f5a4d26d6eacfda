"""Every administrative act leaves exactly one record, which names who did it; answers to holds are listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from clearance.config import Settings
from clearance.core import drafts
from clearance.core.model import (
    ActionCall,
    Agent,
    Answer,
    AnswerKind,
    Bounds,
    Hold,
    HoldStatus,
    Operation,
    Principal,
    Proof,
    Requirement,
    Shown,
)
from clearance.errors import ConflictError, NotFoundError, PolicyError, StoreError
from clearance.ports import RecordQuery, RunQuery
from clearance.runtime.audit import acts
from clearance.runtime.policy_book import PolicyBook
from clearance.wiring import Assembly, assemble, utc_now

BY = "person:eve"
BLOCK = {"name": "p", "rule": "block", "condition": {"tool": "x"}}


@pytest.fixture
def store() -> Iterator[Assembly]:
    assembly = assemble(Settings(store="memory"))
    assembly.registry.register(Agent(name="bot", created_at=utc_now()), by="person:before")
    yield assembly
    assembly.close()


def book(store: Assembly) -> PolicyBook:
    return store.control_point.policies


def a_key(store: Assembly) -> str:
    return store.keys.issue("bot", by="person:before")[1].credential_id


def stored(store: Assembly) -> str:
    book(store).create(BLOCK, by="person:before")
    return "p"


def delegate(store: Assembly) -> None:
    a_key(store)
    principal = Principal(agent="bot", proof=Proof.API_KEY)
    store.keys.delegate(principal, to="helper", bounds=Bounds(), seconds=60)


ACTS: dict[str, Callable[[Assembly], object]] = {
    "agent.register": lambda store: store.registry.register(Agent(name="b", created_at=utc_now()), by=BY),
    "agent.change": lambda store: store.registry.change("bot", by=BY, team="t"),
    "agent.retire": lambda store: store.registry.retire("bot", by=BY),
    "agent_key.issue": lambda store: store.keys.issue("bot", by=BY),
    "agent_key.rotate": lambda store: store.keys.rotate(a_key(store), by=BY),
    "agent_key.revoke": lambda store: store.keys.revoke(a_key(store), by=BY),
    "policy.create": lambda store: book(store).create(BLOCK, by=BY),
    "policy.replace": lambda store: book(store).replace(stored(store), {**BLOCK, "mode": "shadow"}, by=BY),
    "policy.delete": lambda store: book(store).delete(stored(store), by=BY),
    "policies.replace": lambda store: book(store).replace_all({"policies": [BLOCK]}, by=BY),
}


@pytest.mark.parametrize("act", ACTS)
def test_every_act_leaves_one_record_that_names_who(store: Assembly, act: str) -> None:
    ACTS[act](store)
    by_eve = acts(store.journal, by=BY)
    assert [one.act for one in by_eve] == [act]
    assert len(acts(store.journal, act=act)) == 1 + (act == "agent.register")


def test_a_delegation_is_recorded_under_the_agent_that_made_it(store: Assembly) -> None:
    delegate(store)
    assert [one.by for one in acts(store.journal, act="delegation.issue")] == ["bot"]


def test_a_change_of_the_policies_is_recorded_with_its_version_numbers(store: Assembly) -> None:
    before = book(store).document()
    assert before is not None
    after = book(store).create(BLOCK, by=BY)
    (one,) = acts(store.journal, by=BY)
    assert (one.target, one.details["before"], one.details["version"]) == ("p", before.number, after.number)
    assert one.details["policies"] == book(store).current().version


def test_what_changes_nothing_or_is_refused_leaves_no_record(store: Assembly) -> None:
    stored(store)
    book(store).create(BLOCK, by=BY)
    with pytest.raises(ConflictError):
        book(store).create({**BLOCK, "mode": "shadow"}, by=BY)
    with pytest.raises(ConflictError):
        book(store).replace_all({}, by=BY, expected=99)
    with pytest.raises(PolicyError):
        book(store).create({"name": "q", "rule": "blok"}, by=BY)
    assert acts(store.journal, by=BY) == []


def test_a_change_that_cannot_be_recorded_does_not_happen(store: Assembly) -> None:
    def full(act: str, **_: object) -> None:
        raise StoreError("The disk is full.")

    unrecorded = PolicyBook(store.state.policies, clock=utc_now, record=full)
    before = unrecorded.document()
    with pytest.raises(StoreError):
        unrecorded.create(BLOCK, by=BY)
    assert unrecorded.document() == before


AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def answered(store: Assembly, kind: AnswerKind, *, by: str, minute: int) -> None:
    shown = Shown(agent="bot", run_id="run_1", tool="pay", operation=Operation.SEND)
    hold = Hold(
        hold_id=f"hold_{minute}",
        action_id=f"act_{minute}",
        run_id="run_1",
        agent="bot",
        status=HoldStatus.APPROVED if kind is AnswerKind.APPROVE else HoldStatus.DENIED,
        requirements=(Requirement(policy="p"),),
        shown=shown,
        shown_hash="s",
        call_hash="c",
        policy_version="v",
        binding="b",
        created_at=AT,
        expires_at=AT + timedelta(hours=1),
    )
    at = AT + timedelta(minutes=minute)
    start = drafts.run_started("run_1", agent="bot", goal="", at=AT)
    answer = Answer(by=by, at=at, kind=kind, reason="looks right")
    store.journal.append([*([start] if minute == 1 else []), drafts.approval(hold, at=at, answer=answer)])


def test_answers_to_holds_are_listed_under_who_gave_them(store: Assembly) -> None:
    answered(store, AnswerKind.APPROVE, by="person:ann", minute=1)
    answered(store, AnswerKind.DENY, by="person:bob", minute=2)
    assert [(one.by, one.act, one.target) for one in acts(store.journal, until=AT + timedelta(hours=1))] == [
        ("person:bob", "hold.deny", "hold_2"),
        ("person:ann", "hold.approve", "hold_1"),
    ]
    (one,) = acts(store.journal, by="person:ann")
    assert one.details == {"agent": "bot", "tool": "pay", "status": "approved", "reason": "looks right"}
    assert [one.by for one in acts(store.journal, act="hold.deny")] == ["person:bob"]


def test_the_newest_are_listed_first_and_no_more_than_asked_for(store: Assembly) -> None:
    for number in range(5):
        store.registry.register(Agent(name=f"b{number}", created_at=utc_now()), by=BY)
    assert [one.target for one in acts(store.journal, by=BY, limit=2)] == ["b4", "b3"]
    assert acts(store.journal, since=utc_now() + timedelta(hours=1)) == []


def test_the_administrative_record_is_no_run_among_runs(store: Assembly) -> None:
    assert store.journal.search(RecordQuery(kind="administration"))
    assert store.journal.runs(RunQuery()) == []


def test_nobody_adds_an_action_a_note_or_an_end_to_the_administrative_record(store: Assembly) -> None:
    delegate(store)
    call = ActionCall(action="read", run_id="administration")
    with pytest.raises(NotFoundError):
        store.control_point.clear(call, Principal(agent="person:before"), door="sdk")
    with pytest.raises(NotFoundError):
        store.control_point.runs.get("administration")
