"""What is stopped, for whom and until when; and what broken glass does not lift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from clearance.core.decide import combine, is_liftable
from clearance.core.model import (
    Action,
    Actor,
    ActorKind,
    AgentStatus,
    Bounds,
    BreakGlass,
    Context,
    Effect,
    Notify,
    Operation,
    Principal,
    ReasonCode,
    Request,
    Snapshot,
    Stop,
    StopKind,
    StopLevel,
    Transform,
)
from clearance.core.policy import History, PolicySet, compile_policies, parse_value
from clearance.core.policy.posture import LEVELS, Posture, is_on, standing, stopping, tightened
from clearance.core.verdicts import verdicts

AT = datetime(2026, 3, 1, tzinfo=UTC)
POLICIES = compile_policies(
    [
        parse_value(
            [
                {"name": "no deletes", "rule": "block", "condition": {"operation": "delete"}},
                {"name": "ask", "rule": "require_approval", "condition": {"operation": "send"}},
                {"name": "save", "rule": "snapshot", "condition": {"operation": "update"}},
                {"name": "hide", "rule": "redact", "redact": {"arguments": "note"}},
            ]
        )
    ]
)


def request(
    tool: str = "t", operation: Operation = Operation.READ, *, at: datetime = AT, **who: object
) -> Request:
    return Request(
        principal=Principal(**{"agent": "a", **who}),  # type: ignore[arg-type]
        action=Action(tool=tool, operation=operation, arguments={"note": "x"}),
        resources=(),
        context=Context(run_id="r", action_id="act", at=at, door="sdk"),
    )


def stop(kind: StopKind, name: str, level: StopLevel = StopLevel.PAUSED, **more: object) -> Stop:
    return Stop(kind=kind, name=name, level=level, reason="odd", by="o", at=AT, **more)  # type: ignore[arg-type]


def glass(*tools: str, agent: str = "a", **more: object) -> BreakGlass:
    given = {"at": AT, "until": AT + timedelta(minutes=30), **more}
    return BreakGlass(glass_id="g", agent=agent, tools=tools, reason="emergency", by="adm", **given)  # type: ignore[arg-type]


def decided(asked: Request, posture: Posture, policies: PolicySet = POLICIES):  # type: ignore[no-untyped-def]
    found = verdicts(asked, policies, History(policies), posture)
    return combine(found, (), policy_version="v")


def actor(name: str, kind: ActorKind = ActorKind.AGENT, team: str = "") -> Actor:
    return Actor(name=name, kind=kind, team=team)


@pytest.mark.parametrize(
    ("set_for", "is_stopped"),
    [
        ((StopKind.AGENT, "a"), True),
        ((StopKind.AGENT, "b"), True),  # who called it
        ((StopKind.AGENT, "c"), True),  # who called that one
        ((StopKind.AGENT, "d"), False),
        ((StopKind.AGENT, "u"), False),  # a person, and no agent of that name
        ((StopKind.TEAM, "red"), True),
        ((StopKind.TEAM, "blue"), True),  # a caller's
        ((StopKind.TEAM, "green"), False),
        ((StopKind.TOOL, "sendEmail"), True),
        ((StopKind.TOOL, "send"), False),
        ((StopKind.ALL, ""), True),
    ],
)
def test_a_stop_holds_for_the_whole_chain(set_for: tuple[StopKind, str], is_stopped: bool) -> None:
    chain = (actor("b"), actor("c", team="blue"), actor("u", ActorKind.PERSON))
    asked = request("send-email", team="red", on_behalf_of=chain)
    verdict = standing(asked, Posture([stop(*set_for)]))
    assert (verdict is not None) is is_stopped
    reason = stopping(asked.principal, "send-email", Posture([stop(*set_for)]), at=AT)
    assert (reason is not None) is is_stopped


def test_an_agent_without_a_team_is_in_no_team() -> None:
    assert standing(request(), Posture([stop(StopKind.TEAM, "red")])) is None


def test_of_several_stops_the_strictest_says_why() -> None:
    stops = [
        stop(StopKind.ALL, "", StopLevel.HELD),
        stop(StopKind.TOOL, "t", StopLevel.PAUSED),
        stop(StopKind.AGENT, "a", StopLevel.QUARANTINED),
    ]
    verdict = standing(request(), Posture(stops))
    assert verdict is not None
    assert verdict.code is ReasonCode.QUARANTINED
    assert standing(request(), Posture(stops[:2])).code is ReasonCode.PAUSED  # type: ignore[union-attr]


def test_of_two_spellings_of_one_tool_the_stricter_holds() -> None:
    stops = [
        stop(StopKind.TOOL, "sendEmail", StopLevel.QUARANTINED),
        stop(StopKind.TOOL, "send_email", StopLevel.HELD),
    ]
    for order in (stops, stops[::-1]):
        verdict = standing(request("send-email"), Posture(order))
        assert verdict is not None
        assert verdict.code is ReasonCode.QUARANTINED


def test_a_stop_is_over_at_its_end_by_the_time_of_the_action() -> None:
    posture = Posture([stop(StopKind.AGENT, "a", until=AT + timedelta(seconds=10))])
    assert standing(request(at=AT + timedelta(seconds=9.999)), posture) is not None
    assert standing(request(at=AT + timedelta(seconds=10)), posture) is None


def test_a_strict_stop_that_is_over_leaves_the_milder_one() -> None:
    stops = [
        stop(StopKind.AGENT, "a", StopLevel.QUARANTINED, until=AT),
        stop(StopKind.ALL, "", StopLevel.HELD),
    ]
    verdict = standing(request(), Posture(stops))
    assert verdict is not None
    assert verdict.code is ReasonCode.APPROVAL_REQUIRED


def test_a_hold_ends_nothing_that_runs_already() -> None:
    posture = Posture([stop(StopKind.AGENT, "a", StopLevel.HELD)])
    assert stopping(request().principal, "t", posture, at=AT) is None


def test_a_retired_agent_is_stopped_without_any_stop() -> None:
    retired = request(status=AgentStatus.RETIRED)
    verdict = standing(retired, Posture())
    assert verdict is not None
    assert verdict.code is ReasonCode.AGENT_RETIRED
    assert stopping(retired.principal, "t", Posture(), at=AT) is not None


def test_under_broken_glass_policies_do_not_refuse_and_somebody_is_told() -> None:
    decision = decided(request(operation=Operation.DELETE), Posture(glasses=[glass("t")]))
    assert decision.effect is Effect.ALLOW
    assert ReasonCode.BREAK_GLASS in {reason.code for reason in decision.reasons}
    assert any(isinstance(owed, Notify) for owed in decision.obligations)


def test_under_broken_glass_nobody_is_asked() -> None:
    decision = decided(request(operation=Operation.SEND), Posture(glasses=[glass("*")]))
    assert decision.effect is Effect.ALLOW


def test_under_broken_glass_obligations_still_hold() -> None:
    decision = decided(request(operation=Operation.UPDATE), Posture(glasses=[glass("t")]))
    assert {Snapshot, Transform} <= {type(owed) for owed in decision.obligations}


def test_broken_glass_is_for_its_agent_its_tools_and_its_time() -> None:
    asked = request(operation=Operation.DELETE)
    over = glass("t", until=AT)
    ended = glass("t", ended_at=AT)
    for other in (glass("u"), glass("t", agent="b"), over, ended):
        assert decided(asked, Posture(glasses=[other])).effect is Effect.DENY
    assert (
        decided(request("sendIt", Operation.DELETE), Posture(glasses=[glass("send_*")])).effect
        is Effect.ALLOW
    )


KINDS = st.sampled_from(
    [
        (StopKind.AGENT, "a"),
        (StopKind.AGENT, "b"),
        (StopKind.AGENT, "z"),
        (StopKind.TEAM, "red"),
        (StopKind.TOOL, "T"),
        (StopKind.TOOL, "other"),
        (StopKind.ALL, ""),
    ]
)
UNTIL = st.sampled_from([None, AT, AT + timedelta(seconds=1)])
STOPS = st.builds(
    lambda about, level, until: stop(*about, level, until=until), KINDS, st.sampled_from(StopLevel), UNTIL
)
BOUNDS = st.sampled_from([(), (Bounds(tools=("t",)),), (Bounds(tools=("u",)),)])
REQUESTS = st.builds(
    lambda operation, chain, team, bounds: request(
        operation=operation, on_behalf_of=chain, team=team, bounds=bounds
    ),
    st.sampled_from([Operation.READ, Operation.DELETE, Operation.SEND, Operation.UPDATE]),
    st.sampled_from([(), (actor("b"),), (actor("c"), actor("b"))]),
    st.sampled_from(["", "red"]),
    BOUNDS,
)
GLASSES = st.lists(st.sampled_from([glass("*"), glass("t"), glass("t", agent="b")]), max_size=2)


def severity(decision) -> int:  # type: ignore[no-untyped-def]
    if decision.effect is Effect.ALLOW:
        return 0
    return 1 if is_liftable(decision) else 2


@given(REQUESTS, st.lists(STOPS, max_size=4), STOPS, GLASSES)
def test_no_stop_makes_any_decision_milder(
    asked: Request, stops: list[Stop], one: Stop, glasses: list[BreakGlass]
) -> None:
    before = decided(asked, Posture(stops, glasses))
    after = decided(asked, Posture([*stops, one], glasses))
    assert severity(after) >= severity(before)


@given(REQUESTS, st.lists(STOPS, max_size=4), GLASSES)
def test_glass_lifts_no_brake_and_no_bounds(
    asked: Request, stops: list[Stop], glasses: list[BreakGlass]
) -> None:
    plain = decided(asked, Posture(stops), PolicySet.empty())  # what brake and bounds alone say
    assert severity(decided(asked, Posture(stops, glasses))) >= severity(plain)


@given(st.none() | STOPS, STOPS)
def test_a_breaker_only_tightens_what_is_on(on: Stop | None, one: Stop) -> None:
    if on is not None:
        on = replace(on, kind=one.kind, name=one.name)
    after = tightened(on, one) or on
    assert after is not None
    holding = (
        (on, one) if on is not None and is_on(on, one.at) else (one,)
    )  # what has ended counts for nothing
    for before in holding:
        assert LEVELS.index(after.level) >= LEVELS.index(before.level)
        assert after.until is None or (before.until is not None and after.until >= before.until)
