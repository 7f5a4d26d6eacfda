"""Everybody in a chain is asked: a delegate never exceeds its delegator."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clearance.core.decide import combine
from clearance.core.model import (
    Action,
    Actor,
    ActorKind,
    BreakGlass,
    Context,
    Decision,
    Effect,
    Operation,
    Principal,
    ReasonCode,
    Request,
    Resource,
    Stop,
    StopKind,
    StopLevel,
)
from clearance.core.policy import History, PolicySet, compile_policies, parse_value
from clearance.core.policy.posture import Posture
from clearance.core.verdicts import verdicts
from clearance.errors import PolicyError
from tests.examples import examples

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOSS = Actor(name="boss")
USER = Actor(name="eve", kind=ActorKind.PERSON)


def asked(
    *chain: Actor,
    agent: str = "bot",
    tool: str = "send_email",
    operation: Operation = Operation.SEND,
    resource: Resource | None = None,
) -> Request:
    return Request(
        principal=Principal(agent=agent, on_behalf_of=chain),
        action=Action(tool=tool, operation=operation, arguments={}),
        resources=(resource or Resource(kind="tool", name=tool),),
        context=Context(run_id="run", action_id="act", at=AT),
        facts={},
    )


def policy_set(document: object) -> PolicySet:
    return compile_policies([parse_value(document)])


def decided(request: Request, policies: PolicySet, past: tuple[Request, ...] = ()) -> Decision:
    history = History(policies)
    for earlier in past:
        history.observe(earlier)
    return combine(verdicts(request, policies, history, Posture()))


def codes(decision: Decision) -> set[ReasonCode]:
    return {reason.code for reason in decision.reasons}


def test_what_a_rule_refuses_to_the_delegator_it_refuses_to_the_delegate() -> None:
    policies = policy_set([{"name": "no", "rule": "block", "condition": {"agent": "boss"}}])
    assert decided(asked(), policies).effect is Effect.ALLOW
    assert decided(asked(BOSS), policies).effect is Effect.DENY
    assert decided(asked(Actor(name="other"), BOSS), policies).effect is Effect.DENY


def test_the_delegators_roles_count_as_they_came_and_as_the_documents_give_them() -> None:
    policies = policy_set(
        {
            "roles": {"intern": None, "temp": None},
            "agents": {"boss": {"roles": ["intern"]}},
            "policies": [{"name": "no", "rule": "block", "condition": {"role": ["intern", "temp"]}}],
        }
    )
    assert decided(asked(BOSS), policies).effect is Effect.DENY
    assert decided(asked(Actor(name="x", roles=("temp",))), policies).effect is Effect.DENY
    assert decided(asked(Actor(name="x")), policies).effect is Effect.ALLOW


def test_what_is_allowed_is_what_lies_in_the_scope_of_each() -> None:
    scopes = {
        "agents": {
            "bot": {"may": [{"tool": "send_email"}, {"tool": "read_file"}]},
            "boss": {"may": [{"tool": "send_email"}, {"tool": "drop_table"}]},
        }
    }
    policies = policy_set(scopes)
    assert decided(asked(BOSS, tool="send_email"), policies).effect is Effect.ALLOW
    for tool in ("read_file", "drop_table", "other"):
        refused = decided(asked(BOSS, tool=tool), policies)
        assert refused.effect is Effect.DENY and ReasonCode.NOT_IN_SCOPE in codes(refused)


def test_being_in_the_delegators_scope_opens_nothing_that_the_delegates_own_closes() -> None:
    policies = policy_set({"agents": {"bot": {"may": []}, "boss": {"may": [{"tool": "send_email"}]}}})
    assert decided(asked(BOSS), policies).effect is Effect.DENY


def test_a_person_in_the_chain_is_asked_under_a_name_that_no_agent_has() -> None:
    policies = policy_set([{"name": "no", "rule": "block", "condition": {"agent": "eve"}}])
    assert decided(asked(USER), policies).effect is Effect.ALLOW
    policies = policy_set([{"name": "no", "rule": "block", "condition": {"agent": "person:eve"}}])
    assert decided(asked(USER), policies).effect is Effect.DENY


def test_a_service_that_passes_the_question_on_asks_for_nothing() -> None:
    policies = policy_set([{"name": "no", "rule": "block", "condition": {"agent": "*gateway"}}])
    gateway = Actor(name="gateway", kind=ActorKind.SERVICE)
    assert decided(asked(gateway), policies).effect is Effect.ALLOW
    assert decided(asked(gateway, Actor(name="gateway")), policies).effect is Effect.DENY


@pytest.mark.parametrize("whose", ["run", "agent"])
def test_what_is_done_for_an_agent_counts_under_its_limits(whose: str) -> None:
    counted = {"match": {"agent": "boss"}, "of": whose, "seconds": 3600, "exceeds": 2}
    policies = policy_set([{"name": "few", "rule": "block", "condition": {"count_within": counted}}])
    twice = (asked(BOSS), asked(BOSS, agent="another"))
    assert decided(asked(BOSS), policies, twice[:1]).effect is Effect.ALLOW
    assert decided(asked(BOSS), policies, twice).effect is Effect.DENY
    assert decided(asked(agent="boss"), policies, twice).effect is Effect.DENY
    assert decided(asked(), policies, twice).effect is Effect.ALLOW


def test_one_delegated_action_counts_once_for_its_run() -> None:
    counted = {"of": "run", "seconds": 3600, "exceeds": 2}
    policies = policy_set([{"name": "few", "rule": "block", "condition": {"count_within": counted}}])
    assert decided(asked(BOSS), policies, (asked(BOSS),)).effect is Effect.ALLOW
    assert decided(asked(BOSS), policies, (asked(BOSS), asked(BOSS))).effect is Effect.DENY


def test_a_chain_that_names_an_agent_twice_counts_once() -> None:
    counted = {"of": "agent", "seconds": 3600, "exceeds": 2}
    policies = policy_set([{"name": "few", "rule": "block", "condition": {"count_within": counted}}])
    round_trip = asked(BOSS, Actor(name="bot"), BOSS)
    assert decided(asked(agent="boss"), policies, (round_trip,)).effect is Effect.ALLOW
    assert decided(asked(), policies, (round_trip,)).effect is Effect.ALLOW


def test_two_people_of_one_policy_are_not_asked_twice() -> None:
    policies = policy_set([{"name": "ask", "rule": "require_approval"}])
    assert len(decided(asked(BOSS, USER), policies).obligations) == 1


def test_a_brake_on_anybody_of_the_chain_holds_and_nothing_else_is_asked() -> None:
    stop = Stop(kind=StopKind.AGENT, name="boss", level=StopLevel.PAUSED, reason="r", by="person:x", at=AT)
    policies = policy_set([{"name": "told", "rule": "alert"}])
    (only,) = verdicts(asked(BOSS), policies, History(policies), Posture([stop]))
    assert only.code is ReasonCode.PAUSED


def test_broken_glass_lifts_what_the_policies_say_of_the_chain_but_no_brake() -> None:
    glass = BreakGlass(
        glass_id="g", agent="bot", tools=("*",), reason="r", by="person:x", at=AT, until=AT.replace(hour=13)
    )
    policies = policy_set([{"name": "no", "rule": "block", "condition": {"agent": "boss"}}])
    found = verdicts(asked(BOSS), policies, History(policies), Posture((), [glass]))
    assert combine(found).effect is Effect.ALLOW
    stop = Stop(kind=StopKind.AGENT, name="boss", level=StopLevel.PAUSED, reason="r", by="person:x", at=AT)
    found = verdicts(asked(BOSS), policies, History(policies), Posture([stop], [glass]))
    assert combine(found).effect is Effect.DENY


_NAMES = ["a", "b", "c"]
_TOOLS = ["read_file", "send_email"]
_CONDITIONS = st.one_of(
    st.builds(lambda name: {"agent": name}, st.sampled_from([*_NAMES, "a*", "person:*"])),
    st.builds(lambda role: {"role": role}, st.sampled_from(["r", "s"])),
    st.builds(lambda role: {"role_not_in": [role]}, st.sampled_from(["r", "s"])),
    st.builds(
        lambda name, tool: {"agent": name, "tool": tool}, st.sampled_from(_NAMES), st.sampled_from(_TOOLS)
    ),
    st.builds(
        lambda of, name: {"count_within": {"match": {"agent": name}, "of": of, "seconds": 60, "exceeds": 1}},
        st.sampled_from(["run", "agent"]),
        st.sampled_from(_NAMES),
    ),
    st.just({"count_within": {"of": "agent", "seconds": 60, "exceeds": 1}}),
)
_POLICIES = st.lists(
    st.fixed_dictionaries(
        {
            "rule": st.sampled_from(["block", "require_approval", "alert", "snapshot", "allow"]),
            "condition": _CONDITIONS,
            "mode": st.sampled_from(["enforce", "shadow"]),
        }
    ),
    max_size=5,
).map(lambda many: [{"name": f"p{number}", **one} for number, one in enumerate(many)])
_MAY = st.one_of(st.none(), st.lists(st.sampled_from([{"tool": tool} for tool in _TOOLS]), max_size=2))
_SCOPES = st.dictionaries(st.sampled_from([*_NAMES, "person:a"]), _MAY, max_size=3).map(
    lambda given: {name: {"may": may} for name, may in given.items() if may is not None}
)
_ACTORS = st.builds(
    Actor,
    name=st.sampled_from(_NAMES),
    kind=st.sampled_from(list(ActorKind)),
    roles=st.sampled_from([(), ("r",), ("s",)]),
)
_CHAINS = st.lists(_ACTORS, min_size=1, max_size=3).map(tuple)
_ASKED = st.builds(
    lambda agent, tool: asked(agent=agent, tool=tool), st.sampled_from(_NAMES), st.sampled_from(_TOOLS)
)


def with_chain(request: Request, chain: tuple[Actor, ...]) -> Request:
    return replace(request, principal=replace(request.principal, on_behalf_of=chain))


def strictness(decision: Decision) -> tuple[int, int]:
    """A refusal above a hold above what may run; then how much is owed."""
    if decision.effect is Effect.ALLOW:
        return (0, len(decision.obligations))
    return (1 if decision.reasons[0].code is ReasonCode.APPROVAL_REQUIRED else 2, 0)


@settings(max_examples=examples(400), deadline=None)
@given(policies=_POLICIES, scopes=_SCOPES, request=_ASKED, chain=_CHAINS, past=st.lists(_ASKED, max_size=3))
def test_no_decision_is_milder_with_a_chain_than_without_nor_than_for_anybody_of_it(
    policies: list[object],
    scopes: dict[str, object],
    request: Request,
    chain: tuple[Actor, ...],
    past: list[Request],
) -> None:
    try:
        compiled = policy_set({"policies": policies, "agents": scopes})
    except PolicyError:
        return  # contradictory: refused at load
    history = History(compiled)
    for number, earlier in enumerate(past):
        history.observe(with_chain(earlier, chain) if number % 2 else earlier)
    together = combine(verdicts(with_chain(request, chain), compiled, history, Posture()))
    alone = combine(verdicts(request, compiled, history, Posture()))
    assert strictness(together) >= strictness(alone)
    for actor in chain:
        if actor.kind is not ActorKind.AGENT:
            continue
        itself = Request(
            principal=Principal(agent=actor.name, roles=actor.roles),
            action=request.action,
            resources=request.resources,
            context=request.context,
            facts={},
        )
        own = combine(verdicts(itself, compiled, history, Posture()))
        assert strictness(together)[0] >= strictness(own)[0]
