"""Holds in a running control point: parked, answered, taken up once, and ended in the journal."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from msgspec.structs import replace

from clearance.core.drafts import ActionBody, ApprovalBody
from clearance.core.model import (
    ActionCall,
    Answer,
    AnswerKind,
    Durability,
    Effect,
    HoldStatus,
    Principal,
    Record,
)
from clearance.errors import ForbiddenError, NotFoundError, StoreError
from clearance.ports import HoldQuery
from tests.runtime.office import ASK, BOT, CALL, Office, in_threads


def test_what_needs_a_yes_is_parked_and_told_of() -> None:
    office = Office()
    result = office.send()
    hold = office.holds.hold(result.hold_id)
    assert (result.reason_code, result.hold_expires_at) == ("approval_required", hold.expires_at)
    assert (hold.status, hold.action_id, hold.run_id) == (HoldStatus.PENDING, result.action_id, result.run_id)
    assert hold.shown.steps_before == 1
    assert office.kinds(hold) == ["hold"]
    [(kind, body)] = office.told
    assert (kind, body["hold_id"], body["shown_hash"]) == ("hold_opened", hold.hold_id, hold.shown_hash)


def test_the_same_call_in_the_same_run_is_the_same_hold_and_no_second_record() -> None:
    office = Office()
    hold = office.held()
    assert office.held(run_id=hold.run_id).hold_id == hold.hold_id
    assert office.held(hold_id=hold.hold_id, run_id="another").hold_id == hold.hold_id
    assert office.held().hold_id != hold.hold_id  # a run of its own
    assert office.kinds(hold) == ["hold"]


@pytest.mark.parametrize("by_id", [True, False])
def test_an_approved_hold_is_taken_up_once_by_the_same_call(by_id: bool) -> None:
    office = Office()
    hold = office.held()
    office.yes(hold)
    again = {"hold_id": hold.hold_id} if by_id else {"run_id": hold.run_id}
    result = office.send(**again)
    assert (result.effect, result.action_id, result.run_id) == (Effect.ALLOW, hold.action_id, hold.run_id)
    taken = office.holds.hold(hold.hold_id)
    assert (taken.status, taken.taken_by) == (HoldStatus.TAKEN, office.journal.node)
    assert office.kinds(hold) == ["hold", "approval", "intent"]
    body = office.records(hold)[-1].decoded_as(ActionBody)
    assert [one.by for one in body.approved_by] == ["person:alice"]


def test_another_process_takes_up_what_this_one_held() -> None:
    office = Office()
    hold = office.held()
    other = office.again()
    other.yes(hold)
    assert other.again().send(hold_id=hold.hold_id).allowed
    assert office.refusal(hold_id=hold.hold_id) == "approval_used"


def test_on_an_event_loop_it_is_the_same() -> None:
    office = Office()

    async def append(drafts: list[object], durability: Durability) -> list[Record]:
        return office.journal.append(drafts, durability=durability)  # type: ignore[arg-type]

    async def send(call: ActionCall) -> tuple[Effect, str]:
        result = await office.point.aclear(call, BOT, door="test", append=append)  # type: ignore[arg-type]
        return result.effect, result.reason_code

    hold = office.held()
    again = replace(CALL, hold_id=hold.hold_id)
    assert asyncio.run(send(again)) == (Effect.DENY, "approval_required")
    office.yes(hold)
    assert asyncio.run(send(replace(again, arguments={"id": 2}))) == (Effect.DENY, "approval_stale")
    assert asyncio.run(send(again))[0] is Effect.ALLOW
    assert asyncio.run(send(again)) == (Effect.DENY, "approval_used")
    assert len(office.intents()) == 1


def test_a_no_ends_the_action_in_the_journal_and_is_told_to_the_agent() -> None:
    office = Office()
    hold = office.held()
    office.no(hold)
    assert office.kinds(hold) == ["hold", "approval", "refusal"]
    said = office.records(hold)[1].decoded_as(ApprovalBody)
    assert (said.status, said.binding, said.answer and said.answer.by) == (
        HoldStatus.DENIED,
        hold.binding,
        "person:alice",
    )
    refused = office.send(hold_id=hold.hold_id)
    assert refused.reason_code == "approval_refused"
    assert refused.action_id != hold.action_id  # an attempt of its own; the held action has ended
    assert office.held(run_id=hold.run_id).hold_id != hold.hold_id
    assert [kind for kind, _ in office.told] == ["hold_opened", "hold_closed", "hold_opened"]


def test_what_nobody_answers_in_time_is_refused() -> None:
    office = Office()
    hold = office.held()
    office.later(hours=1)
    [expired] = office.holds.expire()
    assert (expired.hold_id, expired.status) == (hold.hold_id, HoldStatus.EXPIRED)
    assert office.holds.expire() == []
    assert office.kinds(hold) == ["hold", "approval", "refusal"]
    body = office.records(hold)[-1].decoded_as(ActionBody)
    assert body.decision.reasons[0].code == "approval_expired"
    assert office.refusal(hold_id=hold.hold_id) == "approval_expired"


def test_an_overdue_hold_is_expired_without_a_sweep_too() -> None:
    office = Office()
    hold = office.held()
    office.later(hours=1)
    assert office.held(run_id=hold.run_id).hold_id != hold.hold_id
    assert office.holds.hold(hold.hold_id).status is HoldStatus.EXPIRED


def test_the_sweep_goes_through_any_number() -> None:
    office = Office()
    for number in range(450):
        office.held(arguments={"id": number})
    office.later(hours=1)
    assert len(office.holds.expire()) == 450


def test_a_quarantined_agent_loses_its_open_holds_and_nobody_else_does() -> None:
    office = Office()
    pending, approved = office.held(), office.held()
    other = office.held(principal=Principal(agent="other"))
    office.yes(approved)
    closed = office.holds.void_agent("bot", why="quarantined")
    assert {hold.hold_id for hold in closed} == {pending.hold_id, approved.hold_id}
    assert office.refusal(hold_id=approved.hold_id) == "approval_stale"
    assert office.holds.hold(other.hold_id).is_open
    assert office.kinds(pending) == ["hold", "approval", "refusal"]


def test_a_hold_whose_action_is_allowed_now_is_closed_and_runs_once() -> None:
    office = Office()
    hold = office.held()
    office.book.delete("ask", by="test")
    assert office.send(hold_id=hold.hold_id).allowed
    assert office.holds.hold(hold.hold_id).status is HoldStatus.VOID
    assert office.refusal(hold_id=hold.hold_id) == "approval_stale"
    assert len(office.intents()) == 1


def test_a_hold_whose_action_is_refused_now_is_closed() -> None:
    office = Office()
    hold = office.held()
    office.yes(hold)
    office.book.create({"name": "stop", "rule": "block", "condition": {"action": "update"}}, by="test")
    assert office.refusal(hold_id=hold.hold_id) == "policy_block"
    assert office.holds.hold(hold.hold_id).status is HoldStatus.VOID
    assert office.kinds(hold) == ["hold", "approval", "refusal", "approval"]


def test_calls_at_once_with_one_approval_run_once() -> None:
    office = Office()
    hold = office.held()
    office.yes(hold)
    effects = in_threads(16, lambda: office.send(hold_id=hold.hold_id).effect)
    assert effects.count(Effect.ALLOW) == 1
    assert len(office.intents()) == 1


def test_calls_at_once_with_a_hold_that_is_not_needed_any_more_run_once_as_that_action() -> None:
    office = Office()
    hold = office.held()
    office.book.delete("ask", by="test")
    in_threads(16, lambda: office.send(hold_id=hold.hold_id).effect)
    assert [record.action_id for record in office.intents()] == [hold.action_id]


def test_an_approved_action_counts_for_what_looks_at_the_run_before() -> None:
    once = {"match": {"action": "update"}, "seconds": 3600, "exceeds": 1}
    office = Office(policies=(ASK, {"name": "once", "rule": "block", "condition": {"count_within": once}}))
    hold = office.held()
    held_too = office.held(run_id=hold.run_id, arguments={"id": 2})  # what is only held counts for nothing
    office.yes(hold)
    assert office.send(hold_id=hold.hold_id).allowed
    office.yes(held_too)
    again = office.send(hold_id=held_too.hold_id, arguments={"id": 2})
    assert again.reason_code == "policy_block"


def test_a_process_that_died_between_taking_and_its_intent_loses_nothing() -> None:
    office = Office()
    hold = office.held()
    office.yes(hold)
    approved = office.holds.hold(hold.hold_id)
    dead = replace(approved, status=HoldStatus.TAKEN, taken_by="dead_node", version=approved.version + 1)
    assert office.state.holds.swap_hold(dead)
    assert office.send(hold_id=hold.hold_id).allowed
    assert office.holds.hold(hold.hold_id).taken_by == office.journal.node
    assert office.refusal(hold_id=hold.hold_id) == "approval_used"
    assert len(office.intents()) == 1


def test_what_a_dead_process_took_and_began_is_not_taken_again() -> None:
    office = Office()
    hold = office.held()
    office.yes(hold)
    assert office.send(hold_id=hold.hold_id).allowed
    taken = office.holds.hold(hold.hold_id)
    assert office.state.holds.swap_hold(replace(taken, taken_by="dead_node", version=taken.version + 1))
    assert office.refusal(hold_id=hold.hold_id) == "approval_used"


def test_what_a_dead_process_took_is_not_taken_again_after_its_time() -> None:
    office = Office()
    hold = office.held()
    approved = office.yes(hold)
    taken = replace(approved, status=HoldStatus.TAKEN, taken_by="dead_node", version=approved.version + 1)
    assert office.state.holds.swap_hold(taken)
    office.later(hours=2)
    assert office.refusal(hold_id=hold.hold_id) == "approval_expired"


@pytest.mark.parametrize("status", [HoldStatus.DENIED, HoldStatus.EXPIRED])
def test_an_end_that_a_dead_process_did_not_record_is_recorded_once_at_the_next_start(
    status: HoldStatus,
) -> None:
    office = Office()
    hold = office.held()
    said = Answer(by="person:alice", at=office.now, kind=AnswerKind.DENY)
    ended = replace(hold, status=status, answers=(said,), closed_at=office.now, version=2)
    assert office.state.holds.swap_hold(ended)
    office.holds.catch_up()
    assert office.kinds(hold) == ["hold"]  # its process may be about to
    office.later(minutes=1)
    for _ in range(2):
        office.again().holds.catch_up()
    assert office.kinds(hold) == ["hold", "refusal"]


def test_an_answer_that_cannot_be_recorded_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    hold = office.held()

    def down(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(office.journal, "append", down)
        with pytest.raises(StoreError):
            office.yes(hold)
    assert office.holds.hold(hold.hold_id).status is HoldStatus.PENDING
    assert office.yes(hold).status is HoldStatus.APPROVED


def test_a_hold_is_its_agents_own() -> None:
    office = Office()
    hold = office.held()
    with pytest.raises(ForbiddenError):
        office.send(hold_id=hold.hold_id, principal=Principal(agent="thief"))
    with pytest.raises(NotFoundError):
        office.send(hold_id="hold_nowhere")


def test_what_has_no_json_cannot_be_approved() -> None:
    office = Office()
    assert office.refusal(arguments={"id": object()}) == "approval_unavailable"


def test_waiting_ends_with_the_answer() -> None:
    office = Office()
    hold = office.held()
    threading.Timer(0.05, office.yes, (hold,)).start()
    began = time.monotonic()
    assert office.holds.wait(hold.hold_id, seconds=20).status is HoldStatus.APPROVED
    assert time.monotonic() - began < 5
    assert office.holds.wait(office.held(arguments={}).hold_id, seconds=0.01).status is HoldStatus.PENDING


def test_waiting_sees_what_another_process_says() -> None:
    office = Office()
    hold = office.held()
    threading.Timer(0.05, office.again().yes, (hold,)).start()
    assert office.holds.wait(hold.hold_id, seconds=20).status is HoldStatus.APPROVED


def test_no_store_is_read_while_nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(policies=())
    run = office.point.runs.start(agent="bot")
    assert office.send(run_id=run.run_id).allowed
    for name in ("hold", "holds", "open_hold"):
        monkeypatch.setattr(office.state.holds, name, None)
    assert office.send(run_id=run.run_id).allowed


def test_the_list_is_the_stores() -> None:
    office = Office()
    first = office.held()
    office.later(seconds=1)
    second = office.held()
    office.no(first)
    assert [hold.hold_id for hold in office.holds.holds(HoldQuery())] == [second.hold_id, first.hold_id]
    assert [hold.hold_id for hold in office.holds.holds(HoldQuery(status=HoldStatus.DENIED))] == [
        first.hold_id
    ]


def test_a_hold_that_outlives_its_policies_says_so_and_is_asked_anew() -> None:
    office = Office()
    hold = office.held()
    office.yes(hold)
    office.book.replace("ask", {**ASK, "condition": {"action": ["update", "delete"]}}, by="test")
    assert office.refusal(hold_id=hold.hold_id) == "approval_stale"
    anew = office.held(run_id=hold.run_id)
    assert anew.hold_id != hold.hold_id
    office.yes(anew)
    assert office.send(hold_id=anew.hold_id).allowed


def test_an_approval_has_a_quarter_of_an_hour_however_late_it_came() -> None:
    office = Office()
    hold = office.held()
    office.later(minutes=59)
    assert office.yes(hold).expires_at == office.now + timedelta(minutes=15)
    office.later(minutes=14)
    assert office.send(hold_id=hold.hold_id).allowed
