"""Budgets: reserved before a call, settled after; in any order, over restarts and processes, never under."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.adapters.store import MemoryState, SqliteJournal
from clearance.core.model import ActionCall, CheckResult, Operation, OutcomeReport, OutcomeStatus, Principal
from clearance.ports import Journal
from tests.runtime.office import Office

HOUR = 3600.0
LIMIT = 100
BOT = Principal(agent="bot")
DONE = OutcomeReport(status=OutcomeStatus.SUCCEEDED)


def budget(of: str, fact: str = "cost_usd", most: float = LIMIT) -> dict[str, Any]:
    spent = {"fact": fact, "of": of, "seconds": HOUR, "exceeds": most}
    return {
        "name": f"budget of {of}",
        "rule": "block",
        "at": "pre_model_call",
        "condition": {"sum_within": spent},
    }


def ask(office: Office, *, run_id: str = "", **facts: Any) -> CheckResult:
    call = ActionCall(
        action="model_call",
        operation=Operation.MODEL_CALL,
        arguments={"model": "m"},
        facts=facts,
        run_id=run_id,
    )
    return office.point.clear(call, BOT, door="model_proxy")


def told(office: Office, result: CheckResult, **measured: float) -> None:
    draft = office.point.outcome_draft(result.action_id, DONE, measured=measured)
    office.journal.append([draft])


def test_what_a_call_reserves_counts_until_it_is_told_what_it_took() -> None:
    office = Office(policies=(budget("agent"),))
    first = ask(office, cost_usd=90)
    assert ask(office, cost_usd=20).reason_code == "policy_block"
    told(office, first, cost_usd=30.5)
    assert ask(office, cost_usd=69.5).allowed
    assert ask(office, cost_usd=0.1).blocked


def test_a_call_that_never_reached_the_provider_costs_nothing() -> None:
    office = Office(policies=(budget("agent"),))
    told(office, ask(office, cost_usd=100), cost_usd=0)
    assert ask(office, cost_usd=100).allowed


def test_a_call_that_took_more_than_it_reserved_counts_in_full() -> None:
    office = Office(policies=(budget("run"),))
    first = ask(office, cost_usd=1)
    told(office, first, cost_usd=100)
    assert ask(office, run_id=first.run_id, cost_usd=1).blocked
    assert ask(office, cost_usd=1).allowed


def test_a_call_of_unknown_cost_meets_every_budget() -> None:
    assert ask(Office(policies=(budget("agent"),))).reason_code == "policy_block"


def test_a_window_that_a_call_has_left_is_not_corrected_for_it() -> None:
    office = Office(policies=(budget("agent"),))
    first = ask(office, cost_usd=60)
    office.later(seconds=HOUR + 60)
    second = ask(office, cost_usd=90)
    told(office, first, cost_usd=0)
    assert ask(office, cost_usd=20).blocked
    told(office, second, cost_usd=90)


@pytest.mark.parametrize("of", ["run", "agent"])
def test_a_restart_counts_what_was_measured_and_what_is_still_reserved(of: str) -> None:
    office = Office(policies=(budget(of),))
    first = ask(office, cost_usd=50)
    told(office, first, cost_usd=10)
    open_still = ask(office, run_id=first.run_id, cost_usd=40)
    again = office.again()
    assert ask(again, run_id=first.run_id, cost_usd=51).blocked
    told(again, open_still, cost_usd=0)
    assert ask(again, run_id=first.run_id, cost_usd=90).allowed


def test_a_match_goes_by_what_the_call_was_cleared_with() -> None:
    policy = budget("agent")
    policy["condition"]["sum_within"]["match"] = {"cost_usd_exceeds": 5}
    office = Office(policies=(policy,))
    told(office, ask(office, cost_usd=60), cost_usd=1)
    told(office, ask(office, cost_usd=2), cost_usd=90)
    for one in (office, office.again()):
        assert ask(one, cost_usd=99.5).blocked
    assert ask(office, cost_usd=99).allowed


def test_an_answer_told_by_another_process_before_it_heard_of_the_call_counts(tmp_path: Path) -> None:
    state, ids = MemoryState(), itertools.count(1).__next__
    one = Office(policies=(budget("run"),), journal=SqliteJournal(tmp_path), state=state, ids=ids)
    two = Office(policies=(), journal=SqliteJournal(tmp_path), state=state, ids=ids)
    run_id = ask(one, cost_usd=0).run_id
    told(one, ask(two, run_id=run_id, cost_usd=30), cost_usd=60)
    assert ask(one, run_id=run_id, cost_usd=60).blocked
    assert ask(two, run_id=run_id, cost_usd=60).blocked
    one.journal.close()
    two.journal.close()


class Oracle:
    """Everything that was cleared, remembered in full."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str, CheckResult]] = []
        self.cost: dict[str, float] = {}

    def spent(self, now: float, within: float, run_id: str = "") -> float:
        recent = [one.action_id for at, run, one in self.calls if now - at <= within and run_id in ("", run)]
        return sum(self.cost[action_id] for action_id in recent)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("clear"), st.integers(0, 1), st.integers(0, 1), st.integers(0, 60)),
        st.tuples(st.just("settle"), st.integers(0, 1), st.integers(0, 30), st.integers(0, 80)),
        st.tuples(st.just("restart"), st.integers(0, 1)),
        st.tuples(st.just("later"), st.sampled_from([1.0, 600.0, HOUR])),
    ),
    min_size=10,
    max_size=40,
)


@pytest.mark.parametrize("of", ["run", "agent"])
@given(steps=STEPS)
@settings(max_examples=15, deadline=None)
def test_any_order_of_calls_answers_and_restarts_spends_what_an_oracle_says(
    of: str, steps: list[tuple[Any, ...]]
) -> None:
    with TemporaryDirectory() as directory:
        _play(of, steps, Path(directory))


def _play(of: str, steps: list[tuple[Any, ...]], directory: Path) -> None:
    state, ids = MemoryState(), itertools.count(1).__next__
    journals: list[Journal] = [SqliteJournal(directory / "j"), SqliteJournal(directory / "j")]
    offices = [
        Office(policies=(budget(of),) if at == 0 else (), journal=journal, state=state, ids=ids)
        for at, journal in enumerate(journals)
    ]
    runs = [ask(offices[0], cost_usd=0).run_id for _ in range(2)]
    oracle, now = Oracle(), 0.0
    under_way: list[CheckResult] = []
    for step in steps:
        match step:
            case "clear", which, run, cost:
                result = ask(offices[which], run_id=runs[run], cost_usd=cost)
                scope = runs[run] if of == "run" else ""
                least, most = (oracle.spent(now, HOUR + slack, scope) + cost for slack in (0, HOUR / 254))
                assert result.blocked or least <= LIMIT, "more was let through than the budget holds"
                assert result.allowed or most > LIMIT, "less was let through than the budget holds"
                if result.allowed:
                    oracle.calls.append((now, runs[run], result))
                    oracle.cost[result.action_id] = cost
                    under_way.append(result)
            case "settle", which, number, cost if under_way:
                result = under_way.pop(number % len(under_way))
                told(offices[which], result, cost_usd=cost)
                oracle.cost[result.action_id] = cost
            case "restart", which:
                offices[which] = offices[which].again()
            case "later", seconds:
                now += seconds
                for office in offices:
                    office.later(seconds=seconds)
    for journal in journals:
        journal.close()
