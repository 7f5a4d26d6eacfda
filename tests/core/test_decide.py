"""Every opinion becomes one decision: the strictest wins, and order never matters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.decide import combine, denial, is_liftable
from clearance.core.model import (
    Approval,
    Effect,
    Finding,
    Mode,
    Notify,
    ReasonCode,
    Rule,
    Severity,
    Snapshot,
    Verdict,
)

CODES = {
    Rule.ALLOW: ReasonCode.IN_SCOPE,
    Rule.BLOCK: ReasonCode.POLICY_BLOCK,
    Rule.ALERT: ReasonCode.POLICY_ALERT,
    Rule.REQUIRE_APPROVAL: ReasonCode.APPROVAL_REQUIRED,
    Rule.REDACT: ReasonCode.POLICY_REDACT,
    Rule.SNAPSHOT: ReasonCode.POLICY_SNAPSHOT,
    Rule.LIMIT: ReasonCode.POLICY_LIMIT,
}
OWED = {
    Rule.ALERT: lambda name: Notify(policy=name, message="told"),
    Rule.REQUIRE_APPROVAL: lambda name: Approval(policy=name),
    Rule.SNAPSHOT: lambda name: Snapshot(policy=name),
}
DENYING = {Rule.BLOCK, Rule.REQUIRE_APPROVAL}
STRICTEST_FIRST = [
    Rule.BLOCK,
    Rule.REQUIRE_APPROVAL,
    Rule.SNAPSHOT,
    Rule.REDACT,
    Rule.LIMIT,
    Rule.ALERT,
    Rule.ALLOW,
]


def verdict(rule, name="p", *, mode=Mode.ENFORCE, certain=True):
    return Verdict(
        policy=name,
        rule=rule,
        mode=mode,
        code=CODES[rule],
        message=f"{name} says {rule}",
        certain=certain,
        obligation=OWED.get(rule, lambda _name: None)(name),
    )


def finding(severity, name="loop"):
    return Finding(detector=name, severity=severity, confidence=0.9, evidence="seen")


VERDICTS = st.lists(
    st.builds(
        verdict,
        st.sampled_from(STRICTEST_FIRST),  # a circuit breaker gives no verdict
        st.sampled_from(["a", "b", "c"]),
        mode=st.sampled_from(Mode),
        certain=st.booleans(),
    ),
    max_size=8,
)


def test_nothing_to_say_allows_and_says_that_no_policy_applies():
    decision = combine([], policy_version="7")
    assert decision.effect is Effect.ALLOW and decision.policy_version == "7"
    assert [reason.code for reason in decision.reasons] == [ReasonCode.NO_POLICY_MATCHED]


@pytest.mark.parametrize("rule", STRICTEST_FIRST)
def test_blocking_and_asking_deny_and_the_rest_allow(rule):
    assert combine([verdict(rule)]).effect is (Effect.DENY if rule in DENYING else Effect.ALLOW)


@pytest.mark.parametrize("place", range(len(STRICTEST_FIRST) - 1))
def test_the_strictest_opinion_is_the_reason(place):
    stricter, milder = STRICTEST_FIRST[place], STRICTEST_FIRST[place + 1]
    decision = combine([verdict(milder, "a"), verdict(stricter, "b")])
    assert [reason.policy for reason in decision.reasons] == ["b", "a"]


@given(VERDICTS, st.randoms(use_true_random=False))
def test_order_never_matters(verdicts, random):
    shuffled = list(verdicts)
    random.shuffle(shuffled)
    assert combine(shuffled) == combine(verdicts)


@given(VERDICTS)
def test_one_enforced_denial_denies_and_shadows_weigh_nothing(verdicts):
    decision = combine(verdicts)
    enforced = [one for one in verdicts if one.mode is Mode.ENFORCE]
    assert (decision.effect is Effect.DENY) == any(one.rule in DENYING for one in enforced)
    assert decision.reasons[0].mode is Mode.ENFORCE
    assert len(decision.obligations) == sum(one.obligation is not None for one in enforced)
    without = combine(enforced)
    assert (decision.effect, decision.obligations) == (without.effect, without.obligations)


@given(VERDICTS, VERDICTS)
def test_a_further_opinion_never_loosens_a_decision(verdicts, more):
    if combine(verdicts).effect is Effect.DENY:
        assert combine([*verdicts, *more]).effect is Effect.DENY


def test_a_certain_reason_stands_before_an_uncertain_one():
    decision = combine([verdict(Rule.BLOCK, "a", certain=False), verdict(Rule.BLOCK, "b")])
    assert [(reason.policy, reason.certain) for reason in decision.reasons] == [("b", True), ("a", False)]


def test_two_holds_owe_two_approvals():
    decision = combine([verdict(Rule.REQUIRE_APPROVAL, "a"), verdict(Rule.REQUIRE_APPROVAL, "b")])
    assert decision.obligations == (Approval(policy="a"), Approval(policy="b"))
    assert is_liftable(decision)


def test_a_hold_beside_a_block_cannot_be_lifted():
    assert not is_liftable(combine([verdict(Rule.REQUIRE_APPROVAL), verdict(Rule.BLOCK)]))


def test_an_allowed_action_is_no_hold_even_when_a_shadow_would_hold_it():
    assert not is_liftable(combine([verdict(Rule.REQUIRE_APPROVAL, mode=Mode.SHADOW)]))


@pytest.mark.parametrize(
    ("severity", "effect", "code", "owed"),
    [
        (Severity.CRITICAL, Effect.DENY, ReasonCode.FINDING, 0),
        (Severity.HIGH, Effect.DENY, ReasonCode.APPROVAL_REQUIRED, 1),
        (Severity.MEDIUM, Effect.ALLOW, ReasonCode.FINDING, 1),
        (Severity.LOW, Effect.ALLOW, ReasonCode.FINDING, 1),
    ],
)
def test_a_finding_weighs_by_its_severity(severity, effect, code, owed):
    decision = combine([], [finding(severity)])
    assert decision.effect is effect and len(decision.obligations) == owed
    assert decision.reasons[0].code is code and decision.reasons[0].policy == "loop"


def test_a_finding_is_not_outweighed_by_an_allowing_policy():
    assert combine([verdict(Rule.ALLOW)], [finding(Severity.CRITICAL)]).effect is Effect.DENY


def test_a_decision_turned_into_a_refusal_keeps_its_reasons_and_owes_only_the_telling():
    decision = combine([verdict(Rule.ALERT, "a"), verdict(Rule.SNAPSHOT, "s")], policy_version="7")
    refused = denial(decision, ReasonCode.SNAPSHOT_FAILED, "No snapshot could be taken.")
    assert refused.effect is Effect.DENY and refused.policy_version == "7"
    assert refused.reasons[0].code is ReasonCode.SNAPSHOT_FAILED
    assert refused.reasons[1:] == decision.reasons
    assert refused.obligations == (Notify(policy="a", message="told"),)


def test_a_refusal_needs_no_decision():
    refused = denial(None, ReasonCode.STORE_UNAVAILABLE, "The store is down.")
    assert refused.effect is Effect.DENY and len(refused.reasons) == 1 and refused.obligations == ()
