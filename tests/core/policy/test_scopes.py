"""Least privilege: with a scope present, what no scope lists is refused."""

import pytest

from clearance.core.decide import combine
from clearance.core.model import Effect, Mode, ReasonCode
from clearance.core.policy import History

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
