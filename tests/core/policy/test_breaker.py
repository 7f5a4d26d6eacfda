"""Circuit breakers as policy: what is read, what is refused at load, and what trips."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.model import (
    Action,
    Actor,
    Context,
    Fact,
    Mode,
    Operation,
    Principal,
    Request,
    StopKind,
    StopLevel,
)
from clearance.core.policy import History, PolicySet, compile_policies, parse_value, parse_yaml
from clearance.core.policy.breaker import SUBJECTS_KEPT, Event, Meters, Per, Tripped
from clearance.core.policy.view import View
from clearance.core.policy.windows import TALLY_SLOTS, Tally
from clearance.errors import PolicyError
from tests.core.policy.conftest import VALIDATOR

AT = datetime(2026, 3, 1, tzinfo=UTC)


def breaker(**more: Any) -> dict[str, Any]:
    return {
        "name": "fuse",
        "rule": "circuit_breaker",
        "trips": {"violations": 3, "within_seconds": 60},
        "then": "pause",
        **more,
    }


def compiled(*policies: dict[str, Any]) -> PolicySet:
    return compile_policies([parse_value(list(policies))])


class Bench:
    """Meters, and a short way to tell them of actions."""

    def __init__(self, **policy: Any) -> None:
        self.policies = compiled(breaker(**policy))
        self.meters = Meters(self.policies.breakers)

    def tell(
        self,
        event: Event = Event.VIOLATION,
        *,
        at: float = 0.0,
        tool: str = "t",
        facts: dict[str, Any] | None = None,
        **who: Any,
    ) -> list[Tripped]:
        request = Request(
            principal=Principal(**{"agent": "a", **who}),
            action=Action(tool=tool, operation=Operation.READ, arguments={}),
            resources=(),
            context=Context(run_id="r", action_id="x", at=AT + timedelta(seconds=at), door="sdk"),
            facts={name: Fact(value=value, source="payload") for name, value in (facts or {}).items()},
        )
        view = View(request, roles=(), history=History(self.policies))
        heard = self.meters.heard(request, view)
        return self.meters.count(heard, event, at=heard.at)

    def tell_all(self, events: list[Event], **more: Any) -> list[bool]:
        return [bool(self.tell(event, **more)) for event in events]


def test_a_breaker_says_nothing_of_any_single_action() -> None:
    policies = compiled(breaker())
    assert policies.policies == ()
    [one] = policies.breakers
    assert (one.then, one.per, one.mode, one.for_seconds) == (StopLevel.PAUSED, Per.AGENT, Mode.ENFORCE, None)


def test_violations_trip_when_they_are_enough_within_the_time() -> None:
    bench = Bench()
    assert [bool(bench.tell(at=at)) for at in (0, 30, 61, 80)] == [False, False, False, True]
    assert "3 violations within 60 seconds" in bench.tell(at=81)[0].reason


def test_what_was_cleared_is_no_violation() -> None:
    assert not any(Bench().tell_all([Event.CLEARED, Event.SUCCEEDED, Event.FAILED] * 5))


def test_agents_are_counted_apart() -> None:
    bench = Bench()
    assert [bench.tell(agent=name) for name in ("a", "b", "a", "b")] == [[]] * 4
    [tripped] = bench.tell(agent="b")
    assert tripped.subject == (StopKind.AGENT, "b")


def test_a_team_is_counted_together_and_its_callers_teams_too() -> None:
    bench = Bench(per="team")
    bench.tell(agent="a", team="red")
    bench.tell(agent="b", team="red")
    [tripped] = bench.tell(agent="c", on_behalf_of=(Actor(name="d", team="red"),))
    assert tripped.subject == (StopKind.TEAM, "red")
    assert not any(bench.tell(agent="loner") for _ in range(5))


def test_a_tool_is_counted_in_any_spelling() -> None:
    bench = Bench(per="tool")
    bench.tell(tool="sendEmail")
    bench.tell(tool="send_email")
    [tripped] = bench.tell(tool="Send-Email", agent="b")
    assert tripped.subject == (StopKind.TOOL, "send_email")


def test_only_what_meets_the_condition_counts() -> None:
    bench = Bench(condition={"tool": "send_email"})
    assert not any(bench.tell(tool="other") for _ in range(5))
    assert [bool(bench.tell(tool="send_email")) for _ in range(3)] == [False, False, True]


def test_errors_trip() -> None:
    bench = Bench(trips={"errors": 2, "within_seconds": 60})
    assert bench.tell_all([Event.FAILED, Event.SUCCEEDED, Event.FAILED]) == [False, False, True]


def test_a_rate_trips_only_of_enough_actions() -> None:
    bench = Bench(trips={"denial_rate": 0.5, "within_seconds": 60, "at_least": 4})
    events = [Event.VIOLATION, Event.VIOLATION, Event.CLEARED, Event.CLEARED]
    assert bench.tell_all(events) == [False, False, False, True]


def test_an_error_rate_is_of_what_ended() -> None:
    bench = Bench(trips={"error_rate": 0.6, "within_seconds": 60, "at_least": 5})
    events = [Event.CLEARED] * 9 + [Event.FAILED] * 3 + [Event.SUCCEEDED] * 2
    assert bench.tell_all(events) == [False] * 13 + [True]


def test_spend_is_of_what_was_cleared_and_exact() -> None:
    bench = Bench(trips={"spend": 0.3, "within_seconds": 60, "fact": "amount"})
    assert not bench.tell(Event.VIOLATION, facts={"amount": 100})
    assert not bench.tell(Event.CLEARED, facts={"amount": 0.1})
    [tripped] = bench.tell(Event.CLEARED, facts={"amount": 0.2})
    assert "0.3 spent within 60 seconds" in tripped.reason


def test_an_amount_that_is_not_known_trips_unless_it_is_told_to_skip() -> None:
    trips = {"spend": 100, "within_seconds": 60, "fact": "amount"}
    assert Bench(trips=trips).tell(Event.CLEARED)
    assert not Bench(trips=trips, on_unknown="skip").tell(Event.CLEARED)


def test_what_was_answered_by_a_stop_is_counted_anew() -> None:
    bench = Bench()
    bench.tell_all([Event.VIOLATION] * 3)
    bench.meters.forget("fuse", (StopKind.AGENT, "a"))
    assert bench.tell_all([Event.VIOLATION] * 3) == [False, False, True]


def test_memory_is_bounded_however_many_agents_there_are() -> None:
    bench = Bench()
    for number in range(SUBJECTS_KEPT + 50):
        bench.tell(agent=f"a{number}")
    assert len(bench.meters) == SUBJECTS_KEPT


@pytest.mark.parametrize(
    ("policy", "code", "says"),
    [
        ({"then": "pasue"}, "unknown_choice", 'did you mean "pause"?'),
        ({"per": "agents"}, "unknown_choice", 'did you mean "agent"?'),
        ({"then": None}, "bad_type", "then"),
        ({"trips": {"violation": 3, "within_seconds": 1}}, "unknown_key", 'did you mean "violations"?'),
        ({"trips": {"within_seconds": 1}}, "missing_key", "needs one of violations"),
        ({"trips": {"violations": 1, "errors": 1, "within_seconds": 1}}, "missing_key", "needs one of"),
        ({"trips": {"violations": 3}}, "missing_key", "within_seconds"),
        ({"trips": {"violations": 0, "within_seconds": 1}}, "bad_value", "at least 1"),
        ({"trips": {"violations": 10_001, "within_seconds": 1}}, "number_out_of_range", "10000"),
        ({"trips": {"denial_rate": 1.5, "within_seconds": 1}}, "never_matches", "more than 1"),
        ({"trips": {"denial_rate": 0, "within_seconds": 1}}, "bad_value", "more than 0"),
        ({"trips": {"violations": 3, "within_seconds": 0}}, "never_matches", "more than 0"),
        ({"trips": {"spend": 3, "within_seconds": 1}}, "missing_key", "fact and argument"),
        ({"trips": {"violations": 3, "within_seconds": 1, "fact": "x"}}, "misplaced_key", "spend"),
        ({"trips": {"violations": 3, "within_seconds": 1, "at_least": 2}}, "misplaced_key", "denial_rate"),
        ({"for_seconds": 0}, "never_matches", "for_seconds"),
        ({"rule": "block"}, "misplaced_key", "circuit_breaker only"),
        ({"condition": {"after": {"seconds": 5}}}, "nested_history", "remembers by itself"),
        ({"rule": "circuit_braker"}, "unknown_rule", 'did you mean "circuit_breaker"?'),
    ],
)
def test_what_is_wrong_is_refused_with_what_was_meant(policy: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(PolicyError) as refused:
        compiled(breaker(**policy))
    [problem] = [one for one in refused.value.problems if one.code == code][:1]
    assert says in f"{problem.message} {problem.suggestion}"


def test_a_problem_names_its_line() -> None:
    text = "policies:\n- name: fuse\n  rule: circuit_breaker\n  then: pause\n  trips:\n    violation: 3\n"
    with pytest.raises(PolicyError) as refused:
        compile_policies([parse_yaml(text, "p.yaml")])
    assert ("p.yaml", 6) in {(problem.file, problem.line) for problem in refused.value.problems}


def test_both_needed_keys_are_asked_for() -> None:
    with pytest.raises(PolicyError) as refused:
        compiled({"name": "fuse", "rule": "circuit_breaker"})
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize("is_valid", [True, False])
def test_the_schema_knows_the_rule(is_valid: bool) -> None:
    policy = breaker(per="team", for_seconds=60) if is_valid else breaker(rule="block")
    assert VALIDATOR.is_valid(policy) is is_valid


def test_a_breaker_changes_the_version_of_the_set() -> None:
    assert compiled(breaker()).version != compiled(breaker(then="hold")).version


@given(
    st.lists(st.tuples(st.floats(0, 300), st.integers(0, 1)), max_size=80), st.sampled_from([1.0, 10.0, 60.0])
)
def test_a_tally_never_counts_too_little_and_never_a_slot_too_much(
    entries: list[tuple[float, int]], seconds: float
) -> None:
    tally, entries = Tally(seconds=seconds), sorted(entries)
    for at, bad in entries:
        tally.add(at, bad=bad)
    now = entries[-1][0] if entries else 0.0
    slot = seconds / (TALLY_SLOTS - 1)
    within = [bad for at, bad in entries if now - at < seconds - 1e-9]
    at_most = [bad for at, bad in entries if now - at <= seconds + slot + 1e-9]
    bad, of = tally.seen(now)
    assert len(within) <= of <= len(at_most)
    assert sum(within) <= bad <= sum(at_most)
