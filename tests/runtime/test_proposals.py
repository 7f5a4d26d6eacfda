"""What a model proposed and an agent then does is one action: counted once, never less than what was done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.core.drafts import ActionBody
from clearance.core.model import ActionCall, CheckResult, Operation, Principal, RecordKind
from clearance.runtime.proposals import PROPOSING
from tests.runtime.office import BOT, Office

CALL = ActionCall(action="send_money", operation=Operation.SEND, arguments={"to": "ann", "amount": 10})
MATCH = {"tool": "send_money"}


def past(kind: str, **terms: Any) -> dict[str, Any]:
    condition = {kind: {"match": MATCH, "of": "run", "seconds": 3600, **terms}}
    return {"name": kind, "rule": "block", "condition": {**MATCH, **condition}}


COUNT = past("count_within", exceeds=1)
SUM = past("sum_within", argument="amount", exceeds=15)
DISTINCT = past("distinct_within", value={"argument": "to"}, exceeds=1)
AFTER = past("after")


def at(office: Office, door: str, run_id: str = "", by: Principal = BOT, **changes: Any) -> CheckResult:
    fields = {name: getattr(CALL, name) for name in ("action", "operation", "arguments")}
    return office.point.clear(ActionCall(**{**fields, "run_id": run_id, **changes}), by, door=door)


@pytest.mark.parametrize("policy", [COUNT, SUM, DISTINCT, AFTER], ids=lambda policy: str(policy["name"]))
def test_a_proposal_and_its_doing_count_once(policy: dict[str, Any]) -> None:
    office = Office(policies=(policy,))
    proposed = at(office, PROPOSING)
    assert at(office, "sdk", proposed.run_id).allowed
    assert at(office, "sdk", proposed.run_id, arguments={"to": "bob", "amount": 10}).blocked


def test_a_proposal_is_taken_up_once_in_its_run_by_its_agent_through_another_door() -> None:
    office = Office(policies=(COUNT,))
    proposed = at(office, PROPOSING)
    assert at(office, PROPOSING, proposed.run_id).blocked
    assert at(office, "sdk", proposed.run_id, arguments={"to": "bob", "amount": 10}).blocked
    assert at(office, "sdk", proposed.run_id, action="take_money", operation=Operation.UPDATE).allowed
    assert at(office, "sdk", proposed.run_id).allowed
    assert at(office, "sdk", proposed.run_id).blocked


def test_spelling_and_defaults_make_it_no_other_call() -> None:
    office = Office(policies=(COUNT,))
    proposed = at(office, PROPOSING)
    more = {**CALL.arguments, "currency": "EUR"}
    assert at(office, "mcp_proxy", proposed.run_id, action="sendMoney", arguments=more).allowed


def test_a_doing_that_was_refused_leaves_the_proposal_open() -> None:
    only_sdk = {"name": "door", "rule": "block", "condition": {"door": "mcp_proxy"}}
    office = Office(policies=(COUNT, only_sdk))
    proposed = at(office, PROPOSING)
    assert at(office, "mcp_proxy", proposed.run_id).blocked
    assert at(office, "sdk", proposed.run_id).allowed


def test_the_record_says_what_was_taken_up_and_a_restart_counts_the_same() -> None:
    office = Office(policies=(past("count_within", exceeds=2),))
    proposed = at(office, PROPOSING)
    done = at(office, "sdk", proposed.run_id)
    body = office.journal.action(done.action_id)[0].decoded_as(ActionBody)
    assert (body.takes_up, body.parent_id) == (True, proposed.action_id)
    again = office.again()
    assert at(again, "sdk", proposed.run_id).allowed
    assert at(again, "sdk", proposed.run_id).blocked


def test_a_proposal_of_long_ago_waits_for_nobody() -> None:
    office = Office(policies=(past("count_within", exceeds=1, seconds=86_400),))
    proposed = at(office, PROPOSING)
    office.later(hours=2)
    assert at(office, "sdk", proposed.run_id).blocked


def test_a_call_without_a_run_finds_the_one_in_which_it_was_proposed_unless_there_are_two() -> None:
    office = Office(policies=())
    proposed = at(office, PROPOSING)
    assert office.point.proposal_run(CALL, BOT) == proposed.run_id
    assert office.point.proposal_run(CALL, Principal(agent="other")) == ""
    at(office, PROPOSING, proposed.run_id)
    assert office.point.proposal_run(CALL, BOT) == proposed.run_id
    at(office, PROPOSING)
    assert office.point.proposal_run(CALL, BOT) == ""


def test_a_doing_counts_from_when_it_was_done() -> None:
    office = Office(policies=(past("count_within", exceeds=1, seconds=60),))
    proposed = at(office, PROPOSING)
    office.later(seconds=59)
    assert at(office, "sdk", proposed.run_id).allowed
    office.later(seconds=30)
    assert at(office, "sdk", proposed.run_id).blocked


STEPS = st.lists(
    st.tuples(st.sampled_from([PROPOSING, "sdk", "restart", "later"]), st.sampled_from(["ann", "bob"])),
    max_size=40,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_nobody_does_more_within_a_window_than_without_proposals(steps: list[tuple[str, str]]) -> None:
    seconds, most = 60.0, 3
    office = Office(
        policies=(past("count_within", exceeds=most, seconds=seconds), past_amount(most, seconds))
    )
    run_id = office.point.runs.start(agent=BOT.agent).run_id
    now, done, proposed = 0.0, [], []
    for what, who in steps:
        if what == "restart":
            office = office.again()
        elif what == "later":
            now += 25
            office.later(seconds=25)
        else:
            result = at(office, what, run_id, arguments={"to": who, "amount": 1})
            (done if what == "sdk" else proposed).extend([now] if result.allowed else [])
            assert sum(now - one <= seconds for one in done) <= most
            recent = sum(now - one <= seconds + seconds / 254 for one in (*done, *proposed))
            assert result.allowed or recent >= most, "refused though nothing was used up"
    intents = [one for one in office.journal.run(run_id) if one.kind is RecordKind.INTENT]
    taken = [one.decoded_as(ActionBody).parent_id for one in intents if one.decoded_as(ActionBody).takes_up]
    assert len(taken) == len(set(taken))


def past_amount(most: int, seconds: float) -> dict[str, Any]:
    return past("sum_within", argument="amount", exceeds=most, seconds=seconds)
