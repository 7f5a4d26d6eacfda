"""Conditions over the past, each told by a short story."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.policy import History

SENDS = {"tool": "send_money"}


def money(make, amount, *, at=0.0, **more):
    return make("send", tool="send_money", facts={"amount": amount}, at=at, **more)


def test_after_holds_once_a_matching_action_was_cleared(truth, make):
    condition = {"after": {"match": {"tool": "read_inbox"}}}
    inbox = make("read", tool="readInbox")
    assert truth(condition, make()) == "false"
    assert truth(condition, make(at=1e6), past=[inbox]) == "true"
    assert truth(condition, make(), past=[make("read", tool="other")]) == "false"


def test_after_looks_at_earlier_actions_only(truth, make):
    inbox = make("read", tool="read_inbox")
    assert truth({"after": {"match": {"tool": "read_inbox"}}}, inbox) == "false"


def test_after_with_seconds_forgets(truth, make):
    condition = {"after": {"match": {"tool": "read_inbox"}, "seconds": 60}}
    inbox = make("read", tool="read_inbox")
    assert truth(condition, make(at=60), past=[inbox]) == "true"
    assert truth(condition, make(at=61), past=[inbox]) == "false"


@pytest.mark.parametrize(
    ("of", "same_run", "other_run"),
    [("run", "true", "false"), ("agent", "true", "true")],
)
def test_a_past_is_of_the_run_or_of_the_agent(of, same_run, other_run, truth, make):
    condition = {"after": {"match": {"tool": "x"}, "of": of, "seconds": 60}}
    past = [make(tool="x", run_id="one")]
    assert truth(condition, make(run_id="one"), past=past) == same_run
    assert truth(condition, make(run_id="two"), past=past) == other_run
    assert truth(condition, make(run_id="two", agent="other"), past=past) == "false"


def test_an_action_that_might_have_matched_counts_as_a_match(truth, make):
    condition = {"after": {"match": {"operation": "read"}}}
    assert truth(condition, make(), past=[make("unknown")]) == "true"


def test_count_includes_the_present_action(truth, make):
    condition = {"count_within": {"match": SENDS, "seconds": 60, "exceeds": 2}}
    past = [money(make, 1, at=at) for at in (0, 10)]
    assert truth(condition, money(make, 1, at=20), past=past[:1]) == "false"
    assert truth(condition, money(make, 1, at=20), past=past) == "true"
    assert truth(condition, money(make, 1, at=61), past=past) == "false"
    at_least = {"count_within": {"match": SENDS, "seconds": 60, "at_least": 2}}
    assert truth(at_least, money(make, 1, at=20), past=past[:1]) == "true"


def test_an_action_that_is_not_counted_is_not_stopped_by_the_count(truth, make):
    condition = {"count_within": {"match": SENDS, "seconds": 60, "exceeds": 0}}
    assert truth(condition, make("read", tool="read"), past=[money(make, 1)]) == "false"
    assert truth(condition, money(make, 1)) == "true"


def test_whether_an_action_is_counted_may_be_unknown(truth, make):
    condition = {"count_within": {"match": {"operation": "send"}, "seconds": 60, "exceeds": 1}}
    assert truth(condition, make("unknown"), past=[money(make, 1)]) == "unknown"
    assert truth(condition, make("unknown")) == "false"


def test_count_without_a_match_counts_everything(truth, make):
    condition = {"count_within": {"seconds": 60, "exceeds": 1}}
    assert truth(condition, make("read"), past=[make("delete")]) == "true"


def test_sum_adds_the_present_amount(truth, make):
    condition = {"sum_within": {"fact": "amount", "match": SENDS, "seconds": 60, "exceeds": 100}}
    assert truth(condition, money(make, 40), past=[money(make, 60)]) == "false"
    assert truth(condition, money(make, 40.01), past=[money(make, 60)]) == "true"
    assert truth(condition, money(make, 40.01, at=61), past=[money(make, 60)]) == "false"


def test_amounts_are_added_as_they_are_written(truth, make):
    condition = {"sum_within": {"fact": "amount", "seconds": 60, "exceeds": 0.3}}
    assert truth(condition, money(make, 0.2), past=[money(make, 0.1)]) == "false"
    at_least = {"sum_within": {"fact": "amount", "seconds": 60, "at_least": 0.3}}
    assert truth(at_least, money(make, 0.2), past=[money(make, 0.1)]) == "true"


def test_amounts_of_any_size_are_added_without_rounding(truth, make):
    condition = {"sum_within": {"fact": "amount", "seconds": 60, "exceeds": 1e300}}
    huge, tiny = money(make, 1e300), money(make, 5e-324)
    assert truth(condition, huge) == "false"
    assert truth(condition, tiny, past=[huge]) == "true"
    assert truth(condition, tiny, past=[money(make, 10**5000, at=-61), tiny]) == "false"
    assert truth(condition, money(make, 10**5000)) == "true"


def test_a_refund_buys_no_further_payment(truth, make):
    condition = {"sum_within": {"fact": "amount", "seconds": 60, "exceeds": 100}}
    assert truth(condition, money(make, 50), past=[money(make, 60), money(make, -1000)]) == "true"


def test_an_amount_that_cannot_be_known_makes_the_sum_unknown_unless_it_is_exceeded_anyway(truth, make):
    condition = {"sum_within": {"fact": "amount", "seconds": 60, "exceeds": 100}}
    assert truth(condition, money(make, None)) == "unknown"
    assert truth(condition, money(make, 1), past=[money(make, "5")]) == "unknown"
    assert truth(condition, money(make, 101), past=[money(make, None)]) == "true"
    assert truth(condition, money(make, 1, at=61), past=[money(make, None)]) == "false"


def test_sum_reads_arguments_by_path(truth, make):
    condition = {"sum_within": {"argument": "items.*.price", "seconds": 60, "exceeds": 10}}
    five = make(arguments={"items": [{"price": 2}, {"price": 3}]})
    assert truth(condition, five, past=[five]) == "false"
    assert truth(condition, five, past=[five, five]) == "true"
    assert truth(condition, make(arguments={"items": [{}]})) == "unknown"
    assert truth(condition, make(arguments={"items": []}), past=[five]) == "false"


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("tool", [{"tool": "a"}, {"tool": "b"}, {"tool": "a"}, {"tool": "c"}]),
        ("resource", [{"resources": [f"file:{name}"]} for name in "abac"]),
        ("domain", [{"resources": [f"email:x@{name}.example"]} for name in "abac"]),
        ({"argument": "to"}, [{"arguments": {"to": name}} for name in "abac"]),
        ({"fact": "region"}, [{"facts": {"region": name}} for name in "abac"]),
    ],
    ids=str,
)
def test_distinct_counts_different_values(value, fields, truth, make):
    condition = {"distinct_within": {"value": value, "seconds": 60, "exceeds": 2}}
    first, second, again, third = (make("send", **one) for one in fields)
    assert truth(condition, again, past=[first, second]) == "false"
    assert truth(condition, third, past=[first, second, again]) == "true"
    assert truth(condition, third) == "false"


def test_distinct_tells_numbers_from_texts_and_takes_any_length(truth, make):
    condition = {"distinct_within": {"value": {"argument": "to"}, "seconds": 60, "at_least": 4}}
    values = [1, "1", "x" * 5000]
    past = [make(arguments={"to": value}) for value in values]
    assert truth(condition, make(arguments={"to": 10**5000}), past=past) == "true"
    assert truth(condition, make(arguments={"to": "x" * 5000}), past=past) == "false"


def test_a_destination_that_cannot_be_known_makes_distinct_unknown(truth, make):
    condition = {"distinct_within": {"value": "domain", "seconds": 60, "exceeds": 1}}
    assert truth(condition, make("send")) == "unknown"
    known = make("send", resources=["email:a@b.example"])
    assert truth(condition, known, past=[make("send")]) == "unknown"
    assert truth(condition, make("read"), past=[known]) == "false"


@given(
    steps=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["send_money", "other"])), max_size=30),
    limit=st.integers(0, 4),
)
def test_a_count_agrees_with_counting_the_whole_past(steps, limit, compiled, make):
    condition = {"count_within": {"match": SENDS, "seconds": 60, "exceeds": limit}}
    policies = compiled({"name": "count", "rule": "block", "condition": condition})
    history, cleared, at = History(policies), [], 0
    for step, tool in steps:
        at += step
        request = make("send", tool=tool, at=at)
        seen = sum(at - earlier <= 60 for earlier, one in cleared if one == "send_money")
        expected = tool == "send_money" and seen + 1 > limit
        assert bool(policies.evaluate(request, history)) == expected
        if not expected:
            history.observe(request)
            cleared.append((at, tool))
