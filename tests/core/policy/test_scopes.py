"""Least privilege: with a scope present, what no scope lists is refused."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearance.core.decide import combine
from clearance.core.model import Effect, Mode, ReasonCode
from clearance.core.policy import History
from clearance.errors import PolicyError
from tests.examples import examples

SCOPED = {
    "roles": {"support": {"may": [{"tool": "read_*"}, {"operation": "read", "resource": "crm.*"}]}},
    "agents": {
        "billing": {
            "roles": ["support"],
            "may": [{"operation": ["read", "update"], "resource": "billing.*"}],
        },
        "listed": {},
        "bound": {"may": []},
    },
}


@pytest.fixture(scope="module")
def ask(compiled):
    def ask(document, request):
        policies = compiled(document)
        return [
            (verdict.policy, verdict.code.value, verdict.mode.value, verdict.certain)
            for verdict in policies.evaluate(request, History(policies))
        ]

    return ask


def allow(name="may", mode="enforce", **condition):
    return {"name": name, "rule": "allow", "mode": mode, "condition": condition}


REFUSED = [("scope", "not_in_scope", "enforce", True)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": "update", "resources": ["db:billing.x"]}, "agent:billing"),
        ({"action": "read", "resources": ["db:crm.x"]}, "role:support"),
        ({"action": "delete", "tool": "readAll"}, "role:support"),
        ({"action": "update", "resources": ["db:crm.x"]}, None),
        ({"action": "delete", "resources": ["db:billing.x"]}, None),
    ],
)
def test_an_agent_may_do_what_its_own_list_or_its_roles_list_and_nothing_else(fields, expected, ask, make):
    found = ask(SCOPED, make(agent="billing", **fields))
    assert found == ([(expected, "in_scope", "enforce", True)] if expected else REFUSED)


def test_a_role_that_an_agent_comes_with_counts_as_well(ask, make):
    assert ask(SCOPED, make("delete", agent="other", roles=["support"])) == REFUSED


def test_without_a_scope_of_its_own_an_agent_is_not_limited(ask, make):
    assert ask(SCOPED, make("delete", agent="listed")) == []
    assert ask(SCOPED, make("delete", agent="stranger")) == []


def test_an_empty_list_allows_nothing(ask, make):
    assert ask(SCOPED, make("read", agent="bound")) == REFUSED


def test_an_allow_policy_is_a_scope_for_the_agents_it_names(ask, make):
    document = allow(agent="bot-*", role_not_in=["admin"], operation="read")
    assert ask(document, make("read", agent="bot-1")) == [("may", "in_scope", "enforce", True)]
    assert ask(document, make("delete", agent="bot-1")) == REFUSED
    assert ask(document, make("delete", agent="bot-1", roles=["admin"])) == []
    assert ask(document, make("delete", agent="other")) == []


def test_an_allow_policy_that_names_nobody_is_for_everybody(ask, make):
    assert ask(allow(operation="read"), make("delete")) == REFUSED
    assert ask({"name": "all", "rule": "allow"}, make("delete")) == [("all", "in_scope", "enforce", True)]


def test_a_fact_whose_name_begins_like_an_attribute_says_what_and_not_who(ask, make):
    document = allow(agent="a", agent_count_exceeds=3)
    assert ask(document, make(agent="a", facts={"agent_count": 1})) == REFUSED
    assert ask(document, make(agent="a", facts={"agent_count": 4}))[0][1] == "in_scope"


def test_what_cannot_be_known_is_not_allowed_and_says_so(compiled, make):
    policies = compiled(allow(operation="read"))
    (verdict,) = policies.evaluate(make("unknown"), History(policies))
    assert verdict.code is ReasonCode.NOT_IN_SCOPE and not verdict.certain
    assert "the operation is not known" in verdict.message


def test_the_refusal_names_the_agent_and_how_to_ask(compiled, make):
    policies = compiled(SCOPED)
    (verdict,) = policies.evaluate(make("delete", agent="bound", tool="dropAll"), History(policies))
    assert '"bound"' in verdict.message and "delete" in verdict.message
    assert '{tool: "drop_all"}' in verdict.message


def test_of_several_scopes_that_allow_the_first_by_name_is_told_whatever_the_order(ask, make):
    policies = [allow("b", operation="read"), allow("a", operation="read")]
    for order in (policies, policies[::-1]):
        assert ask(order, make("read")) == [("a", "in_scope", "enforce", True)]


def test_a_shadow_scope_only_says_what_it_would_have_refused(ask, make):
    shadow = allow("shadow", mode="shadow", agent="a", operation="read")
    assert ask(shadow, make("delete", agent="a")) == [("scope", "not_in_scope", "shadow", True)]
    assert ask(shadow, make("read", agent="a")) == []
    enforced = allow("real", agent="a", operation="delete")
    assert ask([shadow, enforced], make("delete", agent="a")) == [("real", "in_scope", "enforce", True)]
    assert ask([shadow, enforced], make("read", agent="a")) == REFUSED


def test_a_block_beats_a_scope_that_allows(compiled, make):
    policies = compiled([allow(operation="delete"), {"name": "no", "rule": "block", "condition": {}}])
    decision = combine(policies.evaluate(make("delete"), History(policies)))
    assert decision.effect is Effect.DENY
    assert decision.reasons[0].policy == "no"
    assert all(reason.mode is Mode.ENFORCE for reason in decision.reasons)


def learned(name="learned_bot", rule="allow", mode="enforce", **condition):
    return {"name": name, "rule": rule, "mode": mode, "origin": "learned", "condition": condition}


def test_a_refusal_by_a_learned_scope_names_it_and_a_way_out(compiled, make):
    policies = compiled(learned(agent="bot", tool="read_file"))
    (verdict,) = policies.evaluate(make(tool="drop", agent="bot"), History(policies))
    assert "learned_bot" in verdict.message and "learn" in verdict.message
    assert verdict.code is ReasonCode.NOT_IN_SCOPE and verdict.policy == "scope"


_LEARNED = st.lists(
    st.fixed_dictionaries(
        {
            "rule": st.sampled_from(["allow", "allow", "block", "alert", "require_approval", "snapshot"]),
            "mode": st.sampled_from(["enforce", "shadow"]),
            "origin": st.sampled_from(["learned", "generated"]),
            "condition": st.one_of(
                st.builds(lambda a, t: {"agent": a, "tool": t}, st.sampled_from("abc"), st.just("read_file")),
                st.builds(lambda a, o: {"agent": a, "operation": o}, st.sampled_from("ab"), st.just("read")),
                st.builds(lambda n: {"record_count_exceeds": n}, st.sampled_from([0, 5])),
                st.just({}),
            ),
        }
    ),
    min_size=1,
    max_size=4,
).map(lambda many: [{"name": f"l{number}", **one} for number, one in enumerate(many)])


def strictness(decision):
    if decision.effect is Effect.ALLOW:
        return (0, len(decision.obligations))
    return (1 if decision.reasons[0].code is ReasonCode.APPROVAL_REQUIRED else 2, 0)


@given(data=st.data(), more=_LEARNED)
@settings(max_examples=examples(120), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_policy_that_nobody_wrote_makes_any_decision_milder(data, more, compiled, policy_lists, requests):
    written = data.draw(policy_lists)
    may = data.draw(st.sampled_from([None, [], [{"tool": "read_file"}], [{"operation": "send"}]]))
    document = {"policies": written, "agents": {"a": {} if may is None else {"may": may}}}
    try:
        before, after = compiled(document), compiled({**document, "policies": [*written, *more]})
    except PolicyError:
        return
    request = data.draw(requests)
    without = combine(before.evaluate(request, History(before)))
    together = combine(after.evaluate(request, History(after)))
    assert strictness(together) >= strictness(without)
