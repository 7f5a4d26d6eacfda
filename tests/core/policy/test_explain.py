"""Explanations: which condition decided, what it was compared with, and nothing that must not be shown."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.policy import History, explain
from clearance.errors import PolicyError


def explained(compiled, request, *documents):
    policies = compiled(*documents)
    return explain(policies, request, History(policies))


def leaves(node):
    return [leaf for child in node.children for leaf in leaves(child)] if node.children else [node]


def test_one_sees_on_which_condition_a_policy_failed(compiled, make):
    condition = {"action": "update", "record_count_exceeds": 25}
    request = make("update", facts={"record_count": 3})
    text = "name: p\nrule: block\ncondition:\n  action: update\n  record_count_exceeds: 25\n"
    for document in ({"name": "p", "rule": "block", "condition": condition}, text):
        (policy,) = explained(compiled, request, document).policies
        found = [(leaf.condition, leaf.truth, leaf.actual) for leaf in leaves(policy.conditions)]
        assert found == [("action: update", "true", "update"), ("record_count_exceeds: 25", "false", 3)]
        assert policy.outcome == "not_matched"
    assert (policy.file, policy.line) == ("file1.yaml", 1)
    assert [leaf.line for leaf in leaves(policy.conditions)] == [4, 5]


@pytest.mark.parametrize(
    ("fields", "more", "outcome"),
    [
        ({"facts": {"record_count": 6}}, {}, "matched"),
        ({"facts": {"record_count": 5}}, {}, "not_matched"),
        ({}, {}, "matched_unknown"),
        ({}, {"on_unknown": "skip"}, "skipped_unknown"),
        ({}, {"rule": "allow"}, "skipped_unknown"),
    ],
)
def test_an_outcome_is_one_of_four(fields, more, outcome, compiled, make):
    policy = {"name": "p", "rule": "block", "condition": {"record_count_exceeds": 5}, **more}
    assert explained(compiled, make(**fields), policy).policies[0].outcome == outcome


@pytest.mark.parametrize(
    ("value", "actual"),
    [
        ("short", "short"),
        (7, 7),
        (True, True),
        (None, None),
        ("x" * 64, "<str of length 64>"),
        ([1, 2, 3], "<list of length 3>"),
        ({"a": 1}, "<dict of length 1>"),
        (2**70, "<int>"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_of_a_value_only_a_short_scalar_is_shown(value, actual, compiled, make):
    policy = {"name": "p", "rule": "block", "condition": {"argument": {"n": {"exists": True}}}}
    (found,) = leaves(explained(compiled, make(arguments={"n": value}), policy).policies[0].conditions)
    assert found.actual == actual


def test_an_argument_with_the_name_of_a_secret_is_never_shown(compiled, make):
    paths = ("auth.Password", "auth.*", "*.Password")
    condition = {"argument": {path: {"exists": True} for path in paths}, "api_key": "x"}
    request = make(arguments={"auth": {"Password": "hunter2"}}, facts={"api_key": "hunter2"})
    explanation = explained(compiled, request, {"name": "p", "rule": "block", "condition": condition})
    assert b"hunter2" not in msgspec.json.encode(explanation)


def test_many_hits_are_shown_as_a_few(compiled, make):
    policy = {"name": "p", "rule": "block", "condition": {"argument": {"*": {"exists": True}}}}
    request = make(arguments={str(n): n for n in range(1000)})
    (found,) = leaves(explained(compiled, request, policy).policies[0].conditions)
    assert found.actual == ["<int>"] * 10


def test_a_condition_over_the_past_shows_what_was_counted(compiled, make):
    document = [
        {"name": name, "rule": "block", "condition": {name: {**fields, "seconds": 60}}}
        for name, fields in {
            "after": {},
            "count_within": {"exceeds": 3},
            "sum_within": {"fact": "amount", "exceeds": 10},
            "distinct_within": {"value": "tool", "exceeds": 5},
        }.items()
    ]
    policies = compiled(document)
    history = History(policies)
    for at in (0, 1):
        history.observe(make(facts={"amount": 2}, at=at))
    explanation = explain(policies, make(tool="other", facts={"amount": 3}, at=5), history)
    assert [leaves(policy.conditions)[0].actual for policy in explanation.policies] == [
        {"seconds_since": 4.0},
        {"earlier": 2, "needed": 3},
        {"earlier": 4.0, "present": 3.0},
        {"distinct": 2},
    ]


def test_scopes_say_whether_they_apply_and_whether_they_match(compiled, make):
    document = {
        "agents": {"a": {"may": [{"operation": "read"}, {"operation": "send"}]}, "b": {"may": []}},
        "roles": {"dev": {"may": [{"operation": "read"}]}},
    }
    explanation = explained(compiled, make("send", agent="a"), document)
    found = [(one.name, one.applies, one.matched, len(one.entries)) for one in explanation.scopes]
    assert found == [("agent:a", True, True, 2), ("agent:b", False, False, 0), ("role:dev", False, False, 0)]


FIRING = {"matched", "matched_unknown"}


@given(data=st.data())
def test_an_explanation_agrees_with_the_verdicts_and_is_json(data, compiled, policy_lists, requests):
    try:
        policies = compiled(data.draw(policy_lists))
    except PolicyError:
        return
    request, history = data.draw(requests), History(policies)
    for earlier in data.draw(st.lists(requests, max_size=3)):
        history.observe(earlier)
    explanation = explain(policies, request, history)
    verdicts = policies.evaluate(request, history)
    scoped = {"scope", *(one.name for one in explanation.scopes)}
    fired = {(one.policy, one.certain) for one in verdicts if one.policy not in scoped}
    told = {
        (one.name, one.outcome == "matched")
        for one in explanation.policies
        if one.outcome in FIRING and one.rule != "allow"
    }
    assert fired == told
    allowed = {one.policy for one in verdicts if one.code == "in_scope"}
    assert allowed <= {one.name for one in explanation.scopes if one.applies and one.matched}
    refused = any(one.code == "not_in_scope" and one.mode == "enforce" for one in verdicts)
    enforced = [one for one in explanation.scopes if one.applies and one.mode == "enforce"]
    assert refused == (bool(enforced) and not any(one.matched for one in enforced))
    assert msgspec.json.decode(msgspec.json.encode(explanation))["policy_version"] == policies.version
