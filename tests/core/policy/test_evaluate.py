"""What a set of policies says of a request: which fire, with what they owe, whatever their order."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.decide import combine
from clearance.core.model import Approval, Effect, Limit, Mode, Notify, ReasonCode, Rule, Snapshot, Transform
from clearance.core.policy import History, PolicySet, explain
from clearance.core.policy.truth import TRUE
from clearance.errors import PolicyError


def verdicts(policies, request, past=()):
    history = History(policies)
    for earlier in past:
        history.observe(earlier)
    return policies.evaluate(request, history)


REDACT = {"arguments": ["b", "a"], "patterns": ["secret", "email"]}
LIMIT = {"timeout_seconds": 5, "result_items": 10, "result_bytes": 1000}


@pytest.mark.parametrize(
    ("rule", "more", "code", "obligation"),
    [
        ("block", {}, ReasonCode.POLICY_BLOCK, None),
        ("alert", {}, ReasonCode.POLICY_ALERT, Notify(policy="p", message="said")),
        ("require_approval", {}, ReasonCode.APPROVAL_REQUIRED, Approval(policy="p", message="said")),
        ("snapshot", {}, ReasonCode.POLICY_SNAPSHOT, Snapshot(policy="p")),
        (
            "redact",
            {"redact": REDACT},
            ReasonCode.POLICY_REDACT,
            Transform(policy="p", paths=("a", "b"), patterns=("email", "secret")),
        ),
        ("limit", {"limit": LIMIT}, ReasonCode.POLICY_LIMIT, Limit(policy="p", **LIMIT)),
    ],
)
def test_a_rule_gives_its_verdict_and_what_it_owes(rule, more, code, obligation, compiled, make):
    policies = compiled({"name": "p", "rule": rule, "message": "said", **more})
    (verdict,) = verdicts(policies, make())
    assert (verdict.policy, verdict.rule, verdict.code, verdict.message, verdict.mode) == (
        "p",
        Rule(rule),
        code,
        "said",
        Mode.ENFORCE,
    )
    assert verdict.obligation == obligation and verdict.certain


def test_without_a_message_the_condition_is_told_in_words(compiled, make):
    condition = {"action": "update", "record_count_exceeds": 25}
    policies = compiled({"name": "p", "rule": "block", "condition": condition})
    (verdict,) = verdicts(policies, make("update", facts={"record_count": 26}))
    assert verdict.message == ('Policy "p" blocks this action: action is update and record_count exceeds 25.')


@pytest.mark.parametrize("rule", ["block", "alert", "require_approval", "snapshot"])
def test_what_cannot_be_known_fires_and_says_what_to_do(rule, compiled, make):
    condition = {"action": "update", "record_count_exceeds": 25}
    policies = compiled({"name": "p", "rule": rule, "message": "Too many.", "condition": condition})
    (verdict,) = verdicts(policies, make("update"))
    assert not verdict.certain
    assert verdict.message == (
        "Too many. This is assumed, because record_count is not known; "
        "supply it in payload or declare the tool's facts."
    )
    told = getattr(verdict.obligation, "message", verdict.message)
    assert told == verdict.message


def test_only_what_is_to_blame_for_the_doubt_is_told(compiled, make):
    condition = {
        "operation": "delete",
        "record_count_exceeds": 5,
        "any": [{"amount_exceeds": 1}, {"agent": "agent"}],
        "none": [{"domain": "b.example"}],
    }
    policies = compiled({"name": "p", "rule": "block", "condition": condition})
    (verdict,) = verdicts(policies, make("unknown", facts={"record_count": 6}))
    assert "operation is not known" in verdict.message and "destination is not known" in verdict.message
    assert "record_count is not" not in verdict.message and "amount is not" not in verdict.message


def test_on_unknown_skip_fires_for_certain_only(compiled, make):
    condition = {"record_count_exceeds": 25}
    policies = compiled({"name": "p", "rule": "block", "on_unknown": "skip", "condition": condition})
    assert verdicts(policies, make()) == []
    assert len(verdicts(policies, make(facts={"record_count": 26}))) == 1


def test_a_shadow_policy_decides_nothing(compiled, make):
    policies = compiled({"name": "p", "rule": "block", "mode": "shadow"})
    decision = combine(verdicts(policies, make()))
    assert decision.effect is Effect.ALLOW
    assert [(reason.code, reason.mode) for reason in decision.reasons] == [
        (ReasonCode.NO_POLICY_MATCHED, Mode.ENFORCE),
        (ReasonCode.POLICY_BLOCK, Mode.SHADOW),
    ]


def test_no_policies_have_nothing_to_say(make):
    assert verdicts(PolicySet.empty(), make("unknown")) == []


def test_roles_come_from_the_principal_and_from_the_documents(compiled, make):
    policies = compiled({"agents": {"a": {"roles": ["dev", "ops"]}}})
    assert policies.roles_of("a") == ("dev", "ops") and policies.roles_of("b") == ()
    assert policies.roles_for(make(agent="a", roles=["ops", "x"]).principal) == ("ops", "x", "dev")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
READING_EVERYTHING = {
    "argument": {"a": {"exceeds": 1, "not_in": [1, "x"], "pattern": "*"}, "*.*": {"matches": "x"}},
    "amount_not_in": [1],
    "tier_matches": "x",
    "sum_within": {"fact": "amount", "seconds": 60, "exceeds": 5},
    "distinct_within": {"value": {"argument": "*"}, "seconds": 60, "exceeds": 1},
}


@given(
    arguments=st.dictionaries(st.sampled_from("abc"), ANYTHING),
    facts=st.dictionaries(st.sampled_from(["amount", "tier"]), ANYTHING),
)
def test_no_value_of_an_agent_can_make_evaluation_fail(arguments, facts, compiled, make):
    conditions = [{key: value} for key, value in READING_EVERYTHING.items()]
    policies = compiled(
        [{"name": str(n), "rule": "block", "condition": one} for n, one in enumerate(conditions)],
        {"name": "cel", "rule": "block", "when": "arguments.a == 1 || facts.amount > 1"},
    )
    history, request = History(policies), make(arguments=arguments, facts=facts)
    for _ in range(2):
        history.observe(request)
        assert policies.evaluate(request, history) is not None
        assert msgspec.json.encode(explain(policies, request, history))


def reordered(value, random):
    """The same with the keys of every mapping and the policies in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: reordered(value[key], random) for key in keys}
    return [reordered(one, random) for one in value] if isinstance(value, list) else value


@given(data=st.data())
def test_order_never_matters(data, compiled, policy_lists, requests):
    policies, request = data.draw(policy_lists), data.draw(requests)
    past, random = data.draw(st.lists(requests, max_size=3)), data.draw(st.randoms(use_true_random=False))
    shuffled = reordered(policies, random)
    random.shuffle(shuffled)
    try:
        first = compiled(policies)
    except PolicyError:
        with pytest.raises(PolicyError):
            compiled(shuffled)
        return
    second = compiled(shuffled)
    assert first.version == second.version
    said = [verdicts(one, request, past) for one in (first, second)]
    assert set(said[0]) == set(said[1])
    assert combine(said[0]) == combine(said[1])


@given(data=st.data())
def test_the_index_leaves_out_nothing_that_would_fire(data, compiled, policy_lists, requests):
    try:
        policies = compiled(data.draw(policy_lists))
    except PolicyError:
        return
    request, past = data.draw(requests), data.draw(st.lists(requests, max_size=3))
    history = History(policies)
    for earlier in past:
        history.observe(earlier)
    view = policies.view(request, history)
    expected = {
        (policy.name, truth == TRUE)
        for policy in policies.policies
        if policy.rule is not Rule.ALLOW and (truth := policy.condition.test(view))
    }
    found = {
        (verdict.policy, verdict.certain)
        for verdict in policies.evaluate(request, history)
        if verdict.code not in (ReasonCode.IN_SCOPE, ReasonCode.NOT_IN_SCOPE)
    }
    assert found == expected


@given(data=st.data())
def test_a_history_fed_by_operation_agrees_with_one_that_asks_every_watch(
    data, compiled, policy_lists, requests
):
    try:
        policies = compiled(data.draw(policy_lists))
    except PolicyError:
        return
    for request in data.draw(st.lists(requests, max_size=3)):
        history = History(policies)
        history.observe(request)
        view = policies.view(request, history)
        for watch in policies.watches:
            kept = watch.id in history.windows(watch.scope, view.key_of(watch.scope))
            assert kept == bool(watch.match.test(view))


def test_a_policy_for_one_tool_is_not_visited_for_another(compiled, make):
    names = [{"name": f"p{n}", "rule": "block", "condition": {"tool": f"tool_{n}"}} for n in range(50)]
    policies = compiled(names)
    assert [verdict.policy for verdict in verdicts(policies, make("unknown", tool="Tool-7"))] == ["p7"]
