"""Attacks on approvals: each is refused, with a code that stays the same however often it is tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from clearance.core.model import (
    Actor,
    ActorKind,
    AnswerKind,
    Effect,
    Hold,
    HoldStatus,
    Principal,
    Role,
)
from clearance.errors import ApprovalError
from tests.answering import person
from tests.runtime.office import ASK, BOT, CALL, Office, in_threads


def code(do: Callable[[], Any]) -> str:
    with pytest.raises(ApprovalError) as refused:
        do()
    return refused.value.reason


def approved(office: Office, **call: Any) -> Hold:
    return office.yes(office.held(**call))


def test_an_approval_is_not_used_twice() -> None:
    office = Office()
    hold = approved(office)
    assert office.send(hold_id=hold.hold_id).allowed
    codes = {office.refusal(hold_id=hold.hold_id) for _ in range(3)}
    assert codes == {"approval_used"}
    assert office.refusal(run_id=hold.run_id) == "approval_required"
    assert len(office.intents()) == 1


@pytest.mark.parametrize(
    "edited",
    [
        {"arguments": {"id": 2}},
        {"arguments": {"id": 1, "also": 2}},
        {"arguments": {}},
        {"action": "delete"},
        {"resource": "postgres:crm/orders"},
        {"payload": {"record_count": 1}},
        {"environment": "sandbox"},
    ],
)
def test_an_approval_is_for_these_arguments_only(edited: dict[str, Any]) -> None:
    office = Office()
    hold = approved(office)
    for _ in range(2):
        assert office.refusal(hold_id=hold.hold_id, **edited) == "approval_stale"
    assert office.send(run_id=hold.run_id, **edited).action_id != hold.action_id
    assert office.holds.hold(hold.hold_id).status is HoldStatus.APPROVED  # what was shown can still run
    assert office.send(hold_id=hold.hold_id).action_id == hold.action_id


def test_an_approval_is_for_whom_the_agent_acted_then() -> None:
    office = Office()
    hold = approved(office)
    other = replace(BOT, on_behalf_of=(Actor(name="mallory", kind=ActorKind.PERSON),))
    assert office.refusal(hold_id=hold.hold_id, principal=other) == "approval_stale"


@pytest.mark.parametrize(
    ("principal", "by"),
    [
        (Principal(agent="bot", owner="mallory"), person("mallory", Role.ADMIN)),
        (Principal(agent="bot", owner="Mallory"), person("mallory")),
        (Principal(agent="bot", owner="m@x.example"), person("mallory", email="m@x.example")),
        (
            Principal(agent="bot", on_behalf_of=(Actor(name="mallory", kind=ActorKind.PERSON),)),
            person("mallory", Role.ADMIN),
        ),
        (
            Principal(agent="bot", on_behalf_of=(Actor(name="sub-17", kind=ActorKind.PERSON),)),
            person("mallory", subject="sub-17"),
        ),
        (
            Principal(
                agent="bot",
                on_behalf_of=(Actor(name="planner"), Actor(name="mallory", kind=ActorKind.PERSON)),
            ),
            person("mallory"),
        ),
    ],
    ids=["owner", "owner in other case", "owner by e-mail", "requester", "requester by subject", "far up"],
)
def test_nobody_approves_their_own(principal: Principal, by: Any) -> None:
    office = Office()
    hold = office.held(principal=principal)
    for _ in range(2):
        assert code(lambda: office.yes(hold, by)) == "approval_self"
    assert office.yes(hold).status is HoldStatus.APPROVED


def test_nobody_answers_twice_where_two_are_asked() -> None:
    office = Office(policies=(ASK,))
    hold = office.held()
    asked = (replace(hold.requirements[0], count=2),)
    assert office.state.holds.swap_hold(replace(hold, requirements=asked, version=2))
    office.yes(hold)
    for name in ("alice", "alice"):
        by = name
        assert code(lambda by=by: office.yes(hold, by)) == "approval_repeated"  # type: ignore[misc]
    assert office.yes(hold, "carol").status is HoldStatus.APPROVED


@pytest.mark.parametrize("swept", [True, False])
def test_nothing_is_approved_after_its_time(swept: bool) -> None:
    office = Office()
    hold = office.held()
    office.later(hours=1)
    if swept:
        office.holds.expire()
    for _ in range(2):
        assert code(lambda: office.yes(hold)) == "approval_expired"
    assert office.refusal(hold_id=hold.hold_id) == "approval_expired"


def test_an_approval_is_not_used_after_its_time() -> None:
    office = Office()
    hold = approved(office)
    office.later(hours=2)
    assert office.refusal(hold_id=hold.hold_id) == "approval_expired"
    assert office.intents() == []


def test_an_approval_of_other_policies_does_not_count() -> None:
    office = Office()
    before, between = office.held(), approved(office)
    office.book.create({"name": "more", "rule": "alert", "condition": {"action": "read"}}, by="test")
    for _ in range(2):
        assert code(lambda: office.yes(before)) == "approval_stale"
    assert office.holds.hold(before.hold_id).status is HoldStatus.VOID
    assert office.refusal(hold_id=before.hold_id) == "approval_stale"
    assert office.refusal(hold_id=between.hold_id) == "approval_stale"
    assert office.intents() == []


def test_an_answer_to_something_else_than_what_was_shown_does_not_count() -> None:
    office = Office()
    hold, other = office.held(), office.held(arguments={"id": 2})
    shown = other.shown_hash
    alice = person("alice")
    for kind in AnswerKind:
        assert (
            code(lambda kind=kind: office.holds.answer(hold.hold_id, kind, person=alice, shown_hash=shown))  # type: ignore[misc]
            == "approval_mismatch"
        )


def test_a_hold_rewritten_in_the_store_is_neither_answered_nor_taken() -> None:
    office = Office()
    hold = office.held()
    forged = replace(hold, shown=replace(hold.shown, arguments={"id": "harmless"}), version=2)
    assert office.state.holds.swap_hold(forged)
    assert code(lambda: office.yes(hold)) == "approval_mismatch"
    second = approved(office)
    now = office.holds.hold(second.hold_id)
    assert office.state.holds.swap_hold(replace(now, fingerprints=("f9",), version=now.version + 1))
    assert office.refusal(hold_id=second.hold_id) == "approval_stale"


@pytest.mark.parametrize(
    "by", [person("v", Role.VIEWER), person("a", Role.AUDITOR), person("x", is_active=False)]
)
def test_only_who_may_answers(by: Any) -> None:
    office = Office()
    hold = office.held()
    for kind in AnswerKind:
        assert code(lambda kind=kind: office.say(kind, hold, by)) == "approval_not_qualified"  # type: ignore[misc]


def test_a_yes_and_a_no_at_once_have_one_outcome() -> None:
    for _ in range(20):
        office = Office()
        other = office.again()
        hold = office.held()
        said = [(office, AnswerKind.APPROVE, "alice"), (other, AnswerKind.DENY, "carol")] * 4
        told = in_threads(len(said), lambda said=said, hold=hold: outcome(hold, *said.pop()))  # type: ignore[misc]
        final = office.holds.hold(hold.hold_id)
        assert sorted(told).count("approval_closed") == len(told) - 1
        assert [one for one in told if one != "approval_closed"] == [final.status.value]
        assert office.send(hold_id=hold.hold_id).allowed is (final.status is HoldStatus.APPROVED)


def test_what_another_process_takes_at_the_last_moment_is_not_taken_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    other = office.again()
    hold = approved(office)
    swap = office.state.holds.swap_hold

    def after_the_other(mine: Hold) -> bool:
        monkeypatch.setattr(office.state.holds, "swap_hold", swap)
        assert other.send(hold_id=hold.hold_id).allowed
        return swap(mine)

    monkeypatch.setattr(office.state.holds, "swap_hold", after_the_other)
    assert office.refusal(hold_id=hold.hold_id) == "approval_used"
    assert len(office.intents()) == 1


def test_a_no_at_the_last_moment_leaves_no_yes_in_effect_and_a_record_that_it_did_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    other = office.again()
    hold = office.held()
    swap = office.state.holds.swap_hold

    def after_the_other(mine: Hold) -> bool:
        monkeypatch.setattr(office.state.holds, "swap_hold", swap)
        other.no(hold, "carol")
        return swap(mine)

    monkeypatch.setattr(office.state.holds, "swap_hold", after_the_other)
    assert code(lambda: office.yes(hold)) == "approval_closed"
    assert office.holds.hold(hold.hold_id).status is HoldStatus.DENIED
    assert office.refusal(hold_id=hold.hold_id) == "approval_refused"
    last = office.records(hold)[-1]
    assert (last.kind.value, last.status) == ("approval", "denied")
    assert "did not count" in last.decoded()["why"]


def outcome(hold: Hold, office: Office, kind: AnswerKind, by: str) -> str:
    try:
        return office.say(kind, hold, by).status.value
    except ApprovalError as error:
        return error.reason


def test_two_who_approve_at_once_count_once_each() -> None:
    office = Office()
    hold = office.held()
    asked = (replace(hold.requirements[0], count=3),)
    assert office.state.holds.swap_hold(replace(hold, requirements=asked, version=2))
    names = [name for name in ("alice", "carol", "dave") for _ in range(4)]
    offices = [office, office.again(), office.again()]
    told = in_threads(12, lambda: outcome(hold, offices[len(names) % 3], AnswerKind.APPROVE, names.pop()))
    final = office.holds.hold(hold.hold_id)
    assert final.status is HoldStatus.APPROVED
    assert sorted(answer.by for answer in final.answers) == ["person:alice", "person:carol", "person:dave"]
    assert sorted(told).count("approved") == 1
    assert sorted(told).count("pending") == 2


def test_a_grant_is_not_used_beyond_its_count_by_fifty_at_once_in_two_processes() -> None:
    office = Office()
    office.know(person("alice"))
    other = office.again()
    grant = office.grants.make(person("alice"), agent="bot", tool="update", most_uses=9)
    turns = [office, other] * 25
    effects = in_threads(50, lambda: turns.pop().send().effect)
    assert effects.count(Effect.ALLOW) == 9
    assert office.state.grants.grant(grant.grant_id).used == 9  # type: ignore[union-attr]


def test_who_was_demoted_meanwhile_grants_nothing() -> None:
    office = Office()
    alice = person("alice")
    office.know(alice)
    office.grants.make(alice, agent="bot", tool="update", most_uses=9)
    assert office.send().allowed
    office.state.people.replace_person(replace(alice, roles=(Role.VIEWER,)))
    assert office.refusal() == "approval_required"


def test_a_hold_of_another_run_is_not_matched_without_its_name() -> None:
    office = Office()
    approved(office)
    other = office.point.runs.start(agent="bot")
    assert office.refusal(CALL, run_id=other.run_id) == "approval_required"
