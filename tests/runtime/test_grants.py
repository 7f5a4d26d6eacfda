"""Grants: a yes in advance, never worth more than its maker's, and never more often than it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from clearance.core.drafts import ADMINISTRATION_RUN, ActionBody, AdministrationBody
from clearance.core.holds import may_answer
from clearance.core.model import (
    ActionCall,
    Actor,
    ActorKind,
    Effect,
    EffectClass,
    Grant,
    HoldStatus,
    Operation,
    Person,
    Principal,
    Radius,
    Request,
    Requirement,
    Resource,
    Role,
    Saved,
    Touch,
)
from clearance.errors import ApprovalError, NotFoundError, RequestError
from clearance.ports import Measured
from tests.answering import person
from tests.runtime.office import BOT, CALL, Office, in_threads

ALICE = person("alice")
PER_POLICY = {"name": "also", "rule": "require_approval", "condition": {"tool": "update"}}


def office(*people: Person, policies: Sequence[dict[str, Any]] = ()) -> Office:
    made = Office()
    for policy in policies:
        made.book.create(policy, by="test")
    made.know(*(people or (ALICE,)))
    return made


def grant(made: Office, by: Person = ALICE, **changes: Any) -> Grant:
    return made.grants.make(by, **{"agent": "bot", "tool": "update", "most_uses": 5, **changes})


class Counted:
    """A target in which the call touches so many rows."""

    systems = ("crm",)

    def __init__(self, count: int | None) -> None:
        touch = Touch(resource="public.users", operation=Operation.UPDATE, count=count)
        self.radius = Radius(
            system="crm", fingerprint="f1", effects=frozenset({EffectClass.WRITE}), touches=(touch,)
        )

    def system_of(self, _: Resource) -> str:
        return "crm"

    def measure(self, _: Request) -> tuple[Measured, ...]:
        return (Measured(radius=self.radius),)

    def save(self, _: Request, *, snapshot_id: str) -> tuple[Saved, ...]:
        raise AssertionError(snapshot_id)

    def let_go(self) -> None:
        """Holds nothing."""


def test_a_grant_says_yes_in_its_makers_name_and_the_record_says_so() -> None:
    made = office()
    given = grant(made, reason="month's end")
    result = made.send()
    assert result.allowed
    body = made.point.intent(result.action_id).decoded_as(ActionBody)
    assert [(one.by, one.policy, one.grant_id) for one in body.approved_by] == [
        ("person:alice", "ask", given.grant_id)
    ]
    assert made.state.grants.grant(given.grant_id).used == 1  # type: ignore[union-attr]


def test_a_grant_is_good_for_as_many_uses_as_it_says() -> None:
    made = office()
    grant(made, most_uses=2)
    assert [made.send().effect for _ in range(3)] == [Effect.ALLOW, Effect.ALLOW, Effect.DENY]


@pytest.mark.parametrize(
    "other",
    [
        {"agent": "bot2"},
        {"tool": "delete"},
        {"policies": ("another",)},
        {"resources": ("postgres:crm/orders",)},
        {"resources": ("file:*",)},
    ],
)
def test_a_grant_for_something_else_says_nothing(other: dict[str, Any]) -> None:
    made = office()
    grant(made, **other)
    assert made.refusal() == "approval_required"


@pytest.mark.parametrize(
    "resources", [("postgres:crm/users",), ("postgres:crm/*",), ("file:*", "postgres:*")]
)
def test_patterns_of_resources_take_in_what_they_say(resources: tuple[str, ...]) -> None:
    made = office()
    grant(made, resources=resources)
    assert made.send().allowed
    assert not made.send(resource=("postgres:crm/users", "mysql:x/y")).allowed


def test_a_tool_is_met_however_it_is_written() -> None:
    made = office(
        policies=({"name": "mail", "rule": "require_approval", "condition": {"tool": "send_email"}},)
    )
    grant(made, tool="sendEmail")
    assert made.send(action="Send-Email").allowed


@pytest.mark.parametrize(("count", "allowed"), [(19, True), (20, True), (21, False), (None, False)])
def test_most_records_are_counted_and_what_cannot_be_counted_never_fits(
    count: int | None, allowed: bool
) -> None:
    made = office()
    grant(made, most_records=20)
    result = made.point.clear(CALL, BOT, door="test", target=Counted(count))
    assert result.allowed is allowed


def test_a_claim_of_the_caller_is_no_count() -> None:
    made = office()
    grant(made, most_records=20)
    assert made.refusal(payload={"record_count": 1}) == "approval_required"


def test_a_grant_ends_with_its_time_and_when_it_is_revoked() -> None:
    made = office()
    first = grant(made, seconds=60)
    made.later(seconds=60)
    assert not made.send().allowed
    second = grant(made)
    assert [one.grant_id for one in made.grants.grants(valid_only=True)] == [second.grant_id]
    assert {one.grant_id for one in made.grants.grants(agent="bot")} == {first.grant_id, second.grant_id}
    revoked = made.grants.revoke(second.grant_id, by="person:dora")
    assert (
        made.grants.revoke(second.grant_id, by="person:eve").revoked_by == revoked.revoked_by == "person:dora"
    )
    assert not made.send().allowed
    with pytest.raises(NotFoundError):
        made.grants.revoke("grant_nowhere", by="x")


@pytest.mark.parametrize("after", [{"is_active": False}, {"roles": (Role.VIEWER,)}])
def test_a_maker_who_may_not_approve_any_more_says_nothing(after: dict[str, Any]) -> None:
    made = office()
    grant(made)
    made.state.people.replace_person(replace(ALICE, **after))
    assert made.refusal() == "approval_required"


def test_a_maker_who_is_unknown_says_nothing_and_whoever_owns_the_files_does() -> None:
    made = office()
    grant(made, by=person("mallory"))
    assert not made.send().allowed
    grant(made, by=person("local:root", Role.ADMIN))
    assert made.send().allowed


def test_a_person_named_like_the_owner_of_the_files_is_another() -> None:
    made = office(person("root", Role.VIEWER))
    grant(made, by=person("local:root", Role.ADMIN))
    assert made.send().allowed


def test_an_owner_cannot_grant_to_their_own_agent() -> None:
    owner = person("owen")
    made = office(owner)
    grant(made, by=owner)
    assert made.refusal() == "approval_required"


def test_a_grant_never_lifts_four_eyes_of_an_agent_that_acts_for_others() -> None:
    made = office()
    grant(made)
    chain = (Actor(name="bob", kind=ActorKind.PERSON),)
    assert made.refusal(principal=replace(BOT, on_behalf_of=chain)) == "approval_required"
    service = (Actor(name="proxy", kind=ActorKind.SERVICE),)
    assert made.send(principal=replace(BOT, on_behalf_of=service)).allowed


def test_all_requirements_are_met_by_grants_or_none_is_used() -> None:
    made = office(ALICE, person("carol"), policies=(PER_POLICY,))
    only = grant(made, policies=("ask",))
    assert made.refusal() == "approval_required"
    assert made.state.grants.grant(only.grant_id).used == 0  # type: ignore[union-attr]
    other = grant(made, by=person("carol"), policies=("also",))
    assert made.send().allowed
    assert [made.state.grants.grant(one.grant_id).used for one in (only, other)] == [1, 1]  # type: ignore[union-attr]


def test_one_grant_for_any_policy_is_used_once_for_two_policies() -> None:
    made = office(policies=(PER_POLICY,))
    given = grant(made)
    assert made.send().allowed
    assert made.state.grants.grant(given.grant_id).used == 1  # type: ignore[union-attr]


def test_a_grant_made_while_the_action_waits_lets_it_go_on() -> None:
    made = office()
    hold = made.held()
    grant(made, most_uses=1)
    assert made.send(hold_id=hold.hold_id).allowed
    taken = made.holds.hold(hold.hold_id)
    assert (taken.status, taken.answers[0].grant_id != "") == (HoldStatus.TAKEN, True)


@pytest.mark.parametrize(
    "bounds",
    [
        {"seconds": 86_401},
        {"seconds": 0},
        {"most_uses": 0},
        {"most_uses": 1_001},
        {"most_records": -1},
        {"agent": ""},
        {"tool": " "},
        {"agent": "*"},
        {"tool": "send_*"},
    ],
)
def test_bounds_that_are_none_are_refused(bounds: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refused:
        grant(office(), **bounds)
    assert refused.value.reason == "wrong_value"


@pytest.mark.parametrize(
    "by", [person("v", Role.VIEWER), person("a", Role.AUDITOR), person("x", is_active=False)]
)
def test_only_who_may_approve_makes_grants(by: Person) -> None:
    with pytest.raises(ApprovalError) as refused:
        grant(office(), by=by)
    assert refused.value.reason == "approval_not_qualified"


def test_making_and_revoking_are_on_the_administrative_record() -> None:
    made = office()
    given = grant(made, reason="month's end")
    made.grants.revoke(given.grant_id, by="person:dora")
    acts = [one.decoded_as(AdministrationBody) for one in made.journal.run(ADMINISTRATION_RUN)[1:]]
    assert [(one.act, one.by, one.target) for one in acts] == [
        ("grant.make", "person:alice", given.grant_id),
        ("grant.revoke", "person:dora", given.grant_id),
    ]
    assert acts[0].details["most_uses"] == 5


def test_fifty_calls_at_once_use_a_grant_as_often_as_it_says() -> None:
    made = office()
    given = grant(made, most_uses=7)
    effects = in_threads(50, lambda: made.send().effect)
    assert effects.count(Effect.ALLOW) == 7
    assert made.state.grants.grant(given.grant_id).used == 7  # type: ignore[union-attr]


def test_two_grants_side_by_side_are_both_used_up_and_no_more() -> None:
    made = office()
    grant(made, most_uses=3)
    grant(made, most_uses=4)
    effects = in_threads(50, lambda: made.send().effect)
    assert effects.count(Effect.ALLOW) == 7


def test_two_of_many_need_grants_of_two_people() -> None:
    made = office(ALICE, person("carol"))
    requirement = made.held().requirements[0]
    principal = Principal(agent="bot")
    two = (replace(requirement, count=2),)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    makers = [
        Grant(
            grant_id=f"g{number}",
            agent="bot",
            tool="update",
            by=by,
            created_at=at,
            expires_at=at + timedelta(hours=1),
        )
        for number, by in enumerate(("person:alice", "person:alice", "person:carol"))
    ]
    assert made.grants._chosen(makers[:2], two, principal) == []
    chosen = made.grants._chosen(makers, two, principal)
    assert [one.by for _, one in chosen] == ["person:alice", "person:carol"]


def test_recipients_that_the_call_names_are_counted_and_a_claim_is_not() -> None:
    made = office(
        policies=({"name": "mail", "rule": "require_approval", "condition": {"tool": "send_email"}},)
    )
    grant(made, tool="send_email", most_records=2)

    def mail(*to: str, **more: Any) -> ActionCall:
        return ActionCall(action="send_email", arguments={"to": list(to)}, **more)

    assert made.send(mail("a@shop.example", "b@shop.example")).allowed
    three = mail("a@x.example", "b@x.example", "c@x.example", facts={"recipient_count": 1})
    assert made.refusal(three) == "approval_required"
    assert made.refusal(ActionCall(action="send_email", facts={"recipient_count": 1})) == "approval_required"


def test_whoever_owns_the_files_is_of_every_team() -> None:
    needs = Requirement(policy="p", team="payments")
    owner = Person(name="local:root", created_at=datetime(2026, 1, 1, tzinfo=UTC), roles=(Role.ADMIN,))
    assert may_answer(owner, needs)
    assert not may_answer(person("alice"), needs)
