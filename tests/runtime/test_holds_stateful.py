"""Holds and grants against a model of a page: whatever happens in whatever order, a yes is good for one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from msgspec.structs import replace

from clearance.core.drafts import ActionBody
from clearance.core.model import (
    ActionCall,
    Actor,
    ActorKind,
    AnswerKind,
    CheckResult,
    HoldStatus,
    Principal,
    Role,
    Stop,
    StopKind,
    StopLevel,
)
from clearance.core.policy.posture import Posture
from clearance.errors import ApprovalError
from tests.answering import person
from tests.runtime.office import ASK, BOT, START, Office, in_threads

pytestmark = pytest.mark.servers  # takes its time

PEOPLE = {
    one.name: one
    for one in (
        person("alice"),
        person("carol"),
        person("dora", Role.OPERATOR),
        person("erin", Role.ADMIN),
        person("owen", Role.ADMIN),  # owns the agent
        person("bob", Role.OPERATOR),  # the agent acts for him, sometimes
        person("victor", Role.VIEWER),
    )
}
ALSO: dict[str, Any] = {"name": "also", "rule": "require_approval", "condition": {"operation": "update"}}
POLICIES = {"ask": ASK, "also": ALSO}
FOR_BOB = replace(BOT, on_behalf_of=(Actor(name="bob", kind=ActorKind.PERSON),))
RIGHT = {
    "approver": {Role.APPROVER, Role.OPERATOR, Role.ADMIN},
    "operator": {Role.OPERATOR, Role.ADMIN},
}
CODE = {
    HoldStatus.DENIED: "approval_refused",
    HoldStatus.EXPIRED: "approval_expired",
    HoldStatus.VOID: "approval_stale",
    HoldStatus.TAKEN: "approval_used",
}


@dataclass
class Expected:
    """A hold, as the model has it. `required` is policy -> role; `said` policy -> names."""

    hold_id: str
    run_id: str
    action_id: str
    number: int
    principal: Principal
    required: dict[str, str]
    policies: frozenset[str]
    until: datetime
    status: HoldStatus = HoldStatus.PENDING
    said: dict[str, set[str]] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.status in (HoldStatus.PENDING, HoldStatus.APPROVED)

    @property
    def selves(self) -> set[str]:
        return {"owen", *(actor.name for actor in self.principal.on_behalf_of)}


@dataclass
class Given:
    """A grant, as the model has it."""

    grant_id: str
    by: str
    left: int
    until: datetime


class Approvals(RuleBasedStateMachine):
    """One agent, seven people, two policies and a brake; processes come and go."""

    holds = Bundle("holds")
    grants = Bundle("grants")

    @initialize()
    def begin(self) -> None:
        self.braked = False
        self.enabled = {"ask"}
        self.roles = {name: one.roles for name, one in PEOPLE.items()}
        self.known: dict[str, Expected] = {}
        self.given: list[Given] = []
        self.allowed: Counter[str] = Counter()
        self.office = Office(posture=self.posture)
        self.office.know(*PEOPLE.values())

    def posture(self) -> Posture:
        stop = Stop(kind=StopKind.ALL, name="", level=StopLevel.HELD, reason="", by="x", at=START)
        return Posture([stop] if self.braked else [])

    # What happens

    @rule(target=holds, number=st.integers(1, 2), for_bob=st.booleans())
    def ask_anew(self, number: int, for_bob: bool) -> Any:
        principal = FOR_BOB if for_bob else BOT
        return self.is_new(self.send(number, principal), number, principal)

    @rule(target=holds, hold_id=holds, edited=st.booleans())
    def ask_again_in_the_same_run(self, hold_id: str, edited: bool) -> Any:
        one = self.known[hold_id]
        number = 3 - one.number if edited else one.number
        result = self.send(number, one.principal, run_id=one.run_id)
        found = [
            other
            for other in self.known.values()
            if (other.run_id, other.number, other.principal) == (one.run_id, number, one.principal)
            and other.is_open
            and not self.lapse(other)
        ]
        if not found:
            return self.is_new(result, number, one.principal)
        self.goes_on(found[-1], result)
        return multiple()

    @rule(hold_id=holds, edited=st.booleans())
    def ask_again_by_its_id(self, hold_id: str, edited: bool) -> None:
        one = self.known[hold_id]
        number = 3 - one.number if edited else one.number
        result = self.send(number, one.principal, hold_id=hold_id)
        self.lapse(one)
        if edited:
            assert result.reason_code == "approval_stale"
            assert result.action_id != one.action_id
        elif not one.is_open:
            assert result.reason_code == CODE[one.status]
        else:
            self.goes_on(one, result)

    @rule(hold_id=holds)
    def ask_four_times_at_once(self, hold_id: str) -> None:
        one = self.known[hold_id]
        if self.lapse(one) or one.status is not HoldStatus.APPROVED or self.granted(one.principal, peek=True):
            return
        call = ActionCall(action="update", arguments={"n": one.number}, hold_id=hold_id)
        offices = [self.office, self.office.again()] * 2
        results = in_threads(4, lambda: offices.pop().send(call, one.principal))
        goes_on = self.fits(one) or not self.required()
        assert sum(result.allowed for result in results) == int(goes_on)
        self.allowed.update(result.action_id for result in results if result.allowed)
        one.status = HoldStatus.TAKEN if goes_on and self.required() else HoldStatus.VOID

    def answer_as_expected(self, hold_id: str, name: str, kind: AnswerKind) -> None:
        expected = self.answers(self.known[hold_id], name, kind is AnswerKind.APPROVE)
        held = self.office.holds.hold(hold_id)
        somebody = replace(PEOPLE[name], roles=self.roles[name])
        try:
            self.office.say(kind, held, somebody)
        except ApprovalError as error:
            assert error.reason == expected
        else:
            assert expected == ""

    @rule(hold_id=holds, name=st.sampled_from(sorted(PEOPLE)))
    def approve(self, hold_id: str, name: str) -> None:
        self.answer_as_expected(hold_id, name, AnswerKind.APPROVE)

    @rule(hold_id=holds, name=st.sampled_from(sorted(PEOPLE)))
    def approve_too(self, hold_id: str, name: str) -> None:
        self.answer_as_expected(hold_id, name, AnswerKind.APPROVE)

    @rule(hold_id=holds, name=st.sampled_from(["carol", "victor", "owen"]))
    def deny(self, hold_id: str, name: str) -> None:
        self.answer_as_expected(hold_id, name, AnswerKind.DENY)

    @rule(what=st.sampled_from(["ask", "also", "brake", "1", "14", "61", "sweep", "quarantine"]))
    def meanwhile(self, what: str) -> None:
        if what in POLICIES:
            self.change_policies(what)
        elif what == "brake":
            self.braked = not self.braked
        elif what == "sweep":
            for hold in self.office.holds.expire():
                assert self.known[hold.hold_id].status is HoldStatus.EXPIRED
        elif what == "quarantine":
            self.quarantine()
        else:
            self.office.later(minutes=int(what))

    @rule()
    def restart(self) -> None:
        self.office = self.office.again()

    @rule(target=grants, name=st.sampled_from(["alice", "dora", "owen"]), uses=st.integers(1, 3))
    def grant(self, name: str, uses: int) -> Any:
        maker = replace(PEOPLE[name], roles=self.roles[name])
        try:
            made = self.office.grants.make(maker, agent="bot", tool="update", most_uses=uses)
        except ApprovalError:
            assert not RIGHT["approver"].intersection(self.roles[name])
            return multiple()
        self.given.append(Given(made.grant_id, name, uses, made.expires_at))
        return made.grant_id

    @rule(grant_id=grants)
    def revoke(self, grant_id: str) -> None:
        self.office.grants.revoke(grant_id, by="person:erin")
        for one in self.given:
            one.left = 0 if one.grant_id == grant_id else one.left

    @rule(name=st.sampled_from(["alice", "dora"]))
    def demote_or_promote(self, name: str) -> None:
        now = (Role.VIEWER,) if self.roles[name] == PEOPLE[name].roles else PEOPLE[name].roles
        self.roles[name] = now
        self.office.state.people.replace_person(replace(PEOPLE[name], roles=now))

    def change_policies(self, name: str) -> None:
        if name in self.enabled:
            self.office.book.delete(name, by="test")
        else:
            self.office.book.create(POLICIES[name], by="test")
        self.enabled ^= {name}

    def quarantine(self) -> None:
        self.office.holds.expire()
        for one in self.known.values():
            if not self.lapse(one) and one.is_open:
                one.status = HoldStatus.VOID
        self.office.holds.void_agent("bot", why="quarantined")

    # What the model says of it

    def required(self) -> dict[str, str]:
        asked = dict.fromkeys(self.enabled, "approver")
        return {**asked, "brake": "operator"} if self.braked else asked

    def lapse(self, one: Expected) -> bool:
        """Whether its time is over; then it has expired."""
        if one.is_open and self.office.now >= one.until:
            one.status = HoldStatus.EXPIRED
            return True
        return False

    def may(self, name: str, role: str) -> bool:
        return bool(RIGHT[role].intersection(self.roles[name]))

    def fits(self, one: Expected) -> bool:
        required = self.required()
        return one.policies == self.enabled and required.items() <= one.required.items()

    def send(self, number: int, principal: Principal, **changes: Any) -> CheckResult:
        call = ActionCall(action="update", arguments={"n": number}, **changes)
        result = self.office.send(call, principal)
        self.allowed.update([result.action_id] if result.allowed else [])
        return result

    def is_new(self, result: CheckResult, number: int, principal: Principal) -> Any:
        """The answer to an action that takes up no hold."""
        assert result.action_id not in {one.action_id for one in self.known.values()}
        if not self.required() or self.granted(principal):
            assert result.allowed
            return multiple()
        assert result.reason_code == "approval_required"
        until = self.office.now + timedelta(hours=1)
        self.known[result.hold_id] = Expected(
            result.hold_id,
            result.run_id,
            result.action_id,
            number,
            principal,
            self.required(),
            frozenset(self.enabled),
            until,
        )
        return result.hold_id

    def goes_on(self, one: Expected, result: CheckResult) -> None:
        """The answer to a call that takes up an open hold."""
        assert result.action_id == one.action_id
        if not self.required():
            assert result.allowed
            one.status = HoldStatus.VOID
        elif not self.fits(one):
            assert result.reason_code == "approval_stale"
            one.status = HoldStatus.VOID
        elif one.status is HoldStatus.APPROVED or self.granted(one.principal):
            assert result.allowed
            one.status = HoldStatus.TAKEN
        else:
            assert (result.reason_code, result.hold_id) == ("approval_required", one.hold_id)

    def granted(self, principal: Principal, *, peek: bool = False) -> bool:
        """Whether grants meet all that is asked; unless only looked at, those are used."""
        if principal.on_behalf_of:
            return False
        valid = [one for one in self.given if one.left and self.office.now < one.until]
        used: list[Given] = []
        for role in self.required().values():
            fitting = [one for one in valid if one.by != "owen" and self.may(one.by, role)]
            if not fitting:
                return False
            used += [one for one in fitting[:1] if one not in used]
        for one in () if peek else used:
            one.left -= 1
        return True

    def answers(self, one: Expected, name: str, is_yes: bool) -> str:
        """The code of the refusal of an answer; empty where it counts."""
        if self.lapse(one) or one.status is HoldStatus.EXPIRED:
            return "approval_expired"
        if one.status is not HoldStatus.PENDING:
            return "approval_stale" if one.status is HoldStatus.VOID else "approval_closed"
        if one.policies != self.enabled:
            one.status = HoldStatus.VOID
            return "approval_stale"
        if not is_yes:
            able = any(self.may(name, role) for role in one.required.values())
            one.status = HoldStatus.DENIED if able else one.status
            return "" if able else "approval_not_qualified"
        unmet = [
            policy
            for policy, role in one.required.items()
            if not one.said.get(policy) and self.may(name, role)
        ]
        if not unmet:
            return "approval_not_qualified"
        if name in one.selves:
            return "approval_self"
        self.counts(one, name)
        return ""

    def counts(self, one: Expected, name: str) -> None:
        for asked in self.office.holds.hold(one.hold_id).requirements:  # in the order of the policies
            if not one.said.get(asked.policy) and self.may(name, asked.role.value):
                one.said[asked.policy] = {name}
                break
        if all(one.said.get(policy) for policy in one.required):
            one.status = HoldStatus.APPROVED
            one.until = max(one.until, self.office.now + timedelta(minutes=15))

    # What is always so

    @invariant()
    def nothing_runs_twice_and_nothing_unallowed(self) -> None:
        intents = self.office.intents() if self.known else []
        counted = Counter(record.action_id for record in intents)
        assert all(times == 1 for times in counted.values())
        assert set(counted) <= set(self.allowed)
        assert all(times == 1 for times in self.allowed.values())
        for record in intents:
            self.had_every_yes(record.decoded_as(ActionBody))

    def had_every_yes(self, body: ActionBody) -> None:
        """By itself, without the model: for all that was asked there is a yes of somebody else."""
        asked = {owed.policy for owed in body.decision.obligations}
        assert asked <= {answer.policy for answer in body.approved_by}
        names = {answer.by for answer in body.approved_by}
        assert "person:owen" not in names
        assert "person:victor" not in names
        assert not (body.principal.on_behalf_of and "person:bob" in names)

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        for one in self.known.values():
            stored = self.office.holds.hold(one.hold_id)
            late = stored.is_open and self.office.now >= stored.expires_at
            self.lapse(one)
            assert (HoldStatus.EXPIRED if late else stored.status) is one.status

    @invariant()
    def no_grant_is_used_more_often_than_it_says(self) -> None:
        for grant in self.office.grants.grants():
            assert grant.used <= grant.most_uses


TestApprovals = Approvals.TestCase
TestApprovals.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
