"""What is remembered, for whom, and how it is rebuilt and dropped."""

import pytest

from clearance.core.policy import History, PolicySet, Scope

BOTH = [
    {"name": "run", "rule": "block", "condition": {"after": {"match": {"tool": "x"}}}},
    {
        "name": "agent",
        "rule": "block",
        "condition": {"count_within": {"match": {"tool": "x"}, "of": "agent", "seconds": 60, "exceeds": 1}},
    },
]


def fired(policies, request, history):
    return {verdict.policy for verdict in policies.evaluate(request, history)}


def test_a_run_and_an_agent_are_known_once_observed_and_unknown_once_forgotten(compiled, make):
    history = History(compiled(BOTH))
    assert not history.known(Scope.RUN, "run") and not history.known(Scope.AGENT, "agent")
    history.observe(make())
    assert history.known(Scope.RUN, "run") and history.known(Scope.AGENT, "agent")
    assert not history.known(Scope.RUN, "agent")
    history.forget(Scope.RUN, "run")
    assert not history.known(Scope.RUN, "run") and history.known(Scope.AGENT, "agent")


def test_a_run_without_a_past_is_known_once_begun(compiled, make):
    policies = compiled(BOTH)
    history = History(policies)
    history.begin(Scope.RUN, "run")
    assert history.known(Scope.RUN, "run")
    assert fired(policies, make(tool="x"), history) == set()


def test_a_past_can_be_rebuilt_for_one_scope_without_counting_twice_in_the_other(compiled, make):
    policies = compiled(BOTH)
    history = History(policies)
    past = make(tool="x")
    history.observe(past, scope=Scope.RUN)
    assert not history.known(Scope.AGENT, "agent")
    assert fired(policies, make(tool="x"), history) == {"run"}
    history.observe(past, scope=Scope.AGENT)
    assert fired(policies, make(tool="x", run_id="other"), history) == {"agent"}


def test_without_rules_about_the_past_everything_is_known_and_nothing_kept(make):
    history = History(PolicySet.empty())
    history.observe(make())
    assert history.known(Scope.RUN, "run") and history.known(Scope.AGENT, "agent")
    assert history.windows(Scope.RUN, "run") == {}


def test_equal_conditions_share_a_watch_and_its_id_does_not_depend_on_order(compiled):
    one = {"after": {"match": {"tool": "x", "agent": "a"}, "of": "run"}}
    other = {"after": {"match": {"agent": "a", "tool": "x"}}}
    policies = compiled(
        [{"name": str(n), "rule": "block", "condition": c} for n, c in enumerate([one, other])]
    )
    assert len(policies.watches) == 1
    again = compiled({"name": "third", "rule": "alert", "condition": other})
    assert again.watches[0].id == policies.watches[0].id


def test_a_history_made_for_other_policies_is_refused(compiled, make):
    with pytest.raises(ValueError, match="other policies"):
        compiled(BOTH).evaluate(make(), History(PolicySet.empty()))


def test_roles_from_the_documents_count_in_a_watch_too(compiled, make):
    document = {
        "agents": {"agent": {"roles": ["sender"]}},
        "policies": [
            {"name": "p", "rule": "block", "condition": {"after": {"match": {"role": "sender"}}}},
        ],
    }
    policies = compiled(document)
    history = History(policies)
    history.observe(make())
    assert fired(policies, make(), history) == {"p"}


def test_the_longest_window_says_how_far_back_to_read(compiled):
    assert PolicySet.empty().looks_back_seconds(Scope.RUN) == 0
    assert compiled(BOTH).looks_back_seconds(Scope.AGENT) == 60
    assert compiled(BOTH).looks_back_seconds(Scope.RUN) is None
