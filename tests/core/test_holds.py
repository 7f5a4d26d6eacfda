"""A hold's life: who may say what, what it needs, and how it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from clearance.core import holds
from clearance.core.model import (
    Actor,
    ActorKind,
    AnswerKind,
    Approval,
    Decision,
    Effect,
    Hold,
    HoldStatus,
    Person,
    PersonSource,
    Reason,
    ReasonCode,
    Requirement,
    Role,
)
from clearance.errors import ApprovalError
from tests.answering import person
from tests.core.test_binding import AT, mediation

LATER = AT + timedelta(minutes=5)
ALICE, CAROL, DAVE = person("alice"), person("carol"), person("dave")


def decision(*owed: Approval) -> Decision:
    return Decision(
        effect=Effect.DENY,
        reasons=(Reason(code=ReasonCode.APPROVAL_REQUIRED, message="why"),),
        obligations=owed or (Approval(policy="p"),),
        policy_version="v1",
    )


def hold(*owed: Approval) -> Hold:
    return holds.opened(mediation(decision=decision(*owed)), at=AT, steps_before=0)


def yes(held: Hold, by: Person, **changes: object) -> Hold:
    given = {"person": by, "at": LATER, "shown_hash": held.shown_hash, **changes}
    return holds.answered(held, AnswerKind.APPROVE, **given)  # type: ignore[arg-type]


def no(held: Hold, by: Person) -> Hold:
    return holds.answered(held, AnswerKind.DENY, person=by, at=LATER, shown_hash=held.shown_hash)


def code(held: Hold, by: Person, **changes: object) -> str:
    with pytest.raises(ApprovalError) as refused:
        yes(held, by, **changes)
    return refused.value.reason


def test_one_yes_approves_what_one_policy_asks() -> None:
    approved = yes(hold(), ALICE)
    assert approved.status is HoldStatus.APPROVED
    assert [(one.by, one.policy) for one in approved.answers] == [("person:alice", "p")]
    assert approved.version == 2


def test_a_hold_ends_when_the_most_impatient_policy_says() -> None:
    held = hold(Approval(policy="p", expires_seconds=600), Approval(policy="q", expires_seconds=60))
    assert held.expires_at == AT + timedelta(seconds=60)


def test_an_approval_leaves_a_quarter_of_an_hour_to_go_on() -> None:
    held = hold(Approval(policy="p", expires_seconds=301))
    assert yes(held, ALICE).expires_at == LATER + timedelta(minutes=15)
    patient = hold(Approval(policy="p", expires_seconds=86_400))
    assert yes(patient, ALICE).expires_at == patient.expires_at


def test_two_policies_need_two_yeses_and_the_same_person_may_give_both() -> None:
    held = hold(Approval(policy="p"), Approval(policy="q"))
    once = yes(held, ALICE)
    assert once.status is HoldStatus.PENDING
    assert yes(once, ALICE).status is HoldStatus.APPROVED


def test_two_of_many_are_two_different_people() -> None:
    once = yes(hold(Approval(policy="p", count=2)), ALICE)
    assert code(once, ALICE) == "approval_repeated"
    assert yes(once, CAROL).status is HoldStatus.APPROVED


def test_what_one_policy_asks_twice_two_people_have_to_answer() -> None:
    [asked] = holds.requirements(decision(Approval(policy="p"), Approval(policy="p", four_eyes=False)))
    assert (asked.count, asked.four_eyes) == (2, True)


def test_a_yes_counts_for_the_first_requirement_that_the_person_can_meet() -> None:
    held = hold(Approval(policy="p", team="payments"), Approval(policy="q"))
    once = yes(held, ALICE)
    assert once.answers[0].policy == "q"
    assert code(once, CAROL) == "approval_not_qualified"
    assert yes(once, person("erin", teams=("payments",))).status is HoldStatus.APPROVED


@pytest.mark.parametrize(
    ("roles", "asked", "may"),
    [
        ((Role.APPROVER,), Role.APPROVER, True),
        ((Role.OPERATOR,), Role.APPROVER, True),
        ((Role.ADMIN,), Role.APPROVER, True),
        ((Role.ADMIN,), Role.OPERATOR, True),
        ((Role.APPROVER,), Role.OPERATOR, False),
        ((Role.VIEWER,), Role.APPROVER, False),
        ((Role.AUDITOR,), Role.APPROVER, False),
        ((), Role.APPROVER, False),
    ],
)
def test_roles_that_count(roles: tuple[Role, ...], asked: Role, may: bool) -> None:
    somebody = replace(ALICE, roles=roles)
    assert holds.may_answer(somebody, Requirement(policy="p", role=asked)) is may
    assert not holds.may_answer(replace(somebody, is_active=False), Requirement(policy="p", role=asked))


@pytest.mark.parametrize(
    "own",
    [
        person("ann"),  # the owner
        person("Ann"),
        person("x", email="ann"),
        person("bob"),  # for whom the agent acts
        person("y", subject="bob"),
        person("local:ann", Role.ADMIN),
    ],
)
def test_four_eyes_refuse_the_owner_and_whoever_asked_by_any_of_their_names(own: Person) -> None:
    assert code(hold(), own) == "approval_self"
    assert yes(hold(Approval(policy="p", four_eyes=False)), own).status is HoldStatus.APPROVED
    assert no(hold(), own).status is HoldStatus.DENIED


def test_an_agent_in_the_chain_is_nobody_of_the_same_name() -> None:
    chain = (Actor(name="alice", kind=ActorKind.AGENT),)
    held = hold()
    assert yes(replace(held, shown=held.shown), ALICE).status is HoldStatus.APPROVED
    assert not holds.is_self(
        ALICE, agent="crm", owner="", on_behalf_of=[(one.kind, one.name) for one in chain]
    )


def test_one_no_ends_it_whatever_was_said_before() -> None:
    denied = no(yes(hold(Approval(policy="p", count=2)), ALICE), CAROL)
    assert (denied.status, denied.closed_at) == (HoldStatus.DENIED, LATER)
    assert code(denied, DAVE) == "approval_closed"


def test_a_no_needs_the_role_too() -> None:
    with pytest.raises(ApprovalError) as refused:
        no(hold(), person("victor", Role.VIEWER))
    assert refused.value.reason == "approval_not_qualified"


def test_an_answer_names_what_was_shown() -> None:
    assert code(hold(), ALICE, shown_hash="0" * 64) == "approval_mismatch"


@pytest.mark.parametrize(
    "tampered",
    [
        lambda held: replace(held, shown=replace(held.shown, tool="harmless")),
        lambda held: replace(held, call_hash="other"),
        lambda held: replace(held, policy_version="v2"),
        lambda held: replace(held, fingerprints=("f2",)),
    ],
)
def test_a_hold_that_was_changed_in_the_store_cannot_be_answered(tampered: object) -> None:
    assert code(tampered(hold()), ALICE) == "approval_mismatch"  # type: ignore[operator]


def test_nothing_is_answered_after_its_time() -> None:
    assert code(hold(), ALICE, at=AT + timedelta(hours=2)) == "approval_expired"
    expired = holds.closed(hold(), HoldStatus.EXPIRED, at=LATER, why="late")
    assert code(expired, ALICE) == "approval_expired"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (HoldStatus.APPROVED, "approval_closed"),
        (HoldStatus.TAKEN, "approval_closed"),
        (HoldStatus.DENIED, "approval_closed"),
        (HoldStatus.VOID, "approval_stale"),
    ],
)
def test_what_is_decided_is_not_answered_again(status: HoldStatus, reason: str) -> None:
    assert code(replace(hold(), status=status), ALICE) == reason


def test_a_hold_lapses_with_time_and_with_other_policies() -> None:
    held = hold()
    assert holds.lapsed(held, at=LATER, policy_version="v1") is None
    assert holds.lapsed(held, at=LATER, policy_version="") is None
    expired = holds.lapsed(held, at=held.expires_at, policy_version="v1")
    void = holds.lapsed(held, at=LATER, policy_version="v2")
    assert expired is not None
    assert void is not None
    assert (expired.status, void.status) == (HoldStatus.EXPIRED, HoldStatus.VOID)
    assert holds.lapsed(void, at=held.expires_at, policy_version="v1") is None


def test_a_hold_fits_what_asks_no_more_than_it_was_made_for() -> None:
    two = hold(Approval(policy="p"), Approval(policy="q"))
    fewer = mediation(decision=decision(Approval(policy="p", message="worded anew")))
    more = mediation(decision=decision(Approval(policy="p"), Approval(policy="r")))
    stricter = mediation(decision=decision(Approval(policy="p", count=2)))
    elsewhere = mediation(radii=(replace(mediation().radii[0], fingerprint="f2"),))
    assert holds.fits(two, fewer)
    assert not holds.fits(two, more)
    assert not holds.fits(two, stricter)
    assert not holds.fits(two, replace(elsewhere, decision=decision(Approval(policy="p"))))


def test_taking_up_names_the_process_and_closes() -> None:
    taken = holds.taken(yes(hold(), ALICE), node="node_1", at=LATER)
    assert (taken.status, taken.taken_by, taken.is_open, taken.version) == (
        HoldStatus.TAKEN,
        "node_1",
        False,
        3,
    )


def test_names_in_records_say_what_somebody_is() -> None:
    assert holds.named(ALICE) == "person:alice"
    assert holds.named(replace(ALICE, source=PersonSource.SERVICE)) == "service:alice"
    assert holds.named(replace(ALICE, name="local:root")) == "local:root"
