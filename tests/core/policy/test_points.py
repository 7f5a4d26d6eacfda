"""`at`: before or after, of the model or of tools; what can be asked there and what cannot."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from clearance.core.policy import History, explain
from tests.core.policy.conftest import VALIDATOR

MODEL = {"name": "p", "rule": "block", "at": "pre_model_call"}
TOOL = {"name": "p", "rule": "block", "at": "pre_tool_call"}


def fired(compiled, request, *documents):
    policies = compiled(*documents)
    return [one.policy for one in policies.evaluate(request, History(policies))]


@pytest.mark.parametrize(
    ("document", "operation", "fires"),
    [
        (MODEL, "model_call", True),
        (MODEL, "read", False),
        (MODEL, "unknown", False),
        (TOOL, "model_call", False),
        (TOOL, "read", True),
        (TOOL, "unknown", True),
        ({**TOOL, "at": ["pre_tool_call", "pre_model_call"]}, "model_call", True),
        ({**TOOL, "at": ["pre_tool_call", "pre_model_call"]}, "read", True),
        ({**TOOL, "at": "post_tool_call"}, "read", False),
    ],
)
def test_a_policy_is_asked_at_its_points_only(compiled, make, document, operation, fires):
    VALIDATOR.validate(document)
    assert fired(compiled, make(operation), document) == (["p"] if fires else [])


def test_a_scope_before_model_calls_lists_models_and_limits_no_tool(compiled, make):
    models = {
        "name": "models",
        "rule": "allow",
        "at": "pre_model_call",
        "condition": {"resource": "model:a*"},
    }
    listed = make("model_call", resources=["model:a-1"])
    other = make("model_call", resources=["model:b-1"])
    assert fired(compiled, listed, models) == ["models"]
    assert fired(compiled, other, models) == ["scope"]
    assert fired(compiled, make("delete"), models) == []


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"name": "p", "rule": "block", "at": "post_tool"}, "unknown_choice"),
        ({"name": "p", "rule": "block", "at": []}, "never_matches"),
        ({"name": "p", "rule": "allow", "at": "post_tool_call"}, "misplaced_key"),
        ({"name": "p", "rule": "snapshot", "at": "post_tool_call"}, "misplaced_key"),
        ({"name": "p", "rule": "require_approval", "at": "post_model_call"}, "misplaced_key"),
        (
            {"name": "p", "rule": "limit", "limit": {"result_items": 1}, "at": "post_tool_call"},
            "misplaced_key",
        ),
        (
            {
                "name": "p",
                "rule": "circuit_breaker",
                "trips": {"errors": 1, "within_seconds": 1},
                "then": "pause",
                "at": "post_tool_call",
            },
            "misplaced_key",
        ),
        ({**TOOL, "at": "post_tool_call", "condition": {"argument": {"to": "x"}}}, "bad_value"),
        ({**TOOL, "at": "post_tool_call", "condition": {"any": [{"argument": {"results": 1}}]}}, "bad_value"),
        (
            {**TOOL, "at": "post_tool_call", "condition": {"count_within": {"seconds": 9, "exceeds": 1}}},
            "misplaced_key",
        ),
        ({"name": "p", "rule": "redact", "at": "post_tool_call", "redact": {"arguments": "to"}}, "bad_value"),
        (
            {
                "name": "p",
                "rule": "redact",
                "at": ["pre_tool_call", "post_tool_call"],
                "redact": {"arguments": "result"},
            },
            "misplaced_key",
        ),
        (
            {**TOOL, "at": ["pre_tool_call", "post_tool_call"], "condition": {"argument": {"result": 1}}},
            "misplaced_key",
        ),
        ({**MODEL, "condition": {"operation": "read"}}, "never_matches"),
        ({**TOOL, "condition": {"operation": "model_call"}}, "never_matches"),
        ({**TOOL, "at": "post_model_call", "condition": {"operation": "read"}}, "never_matches"),
        ({"name": "p", "rule": "redact", "redact": {"patterns": "email", "restore": True}}, "misplaced_key"),
        (
            {
                "name": "p",
                "rule": "redact",
                "at": "pre_model_call",
                "redact": {"arguments": "a", "restore": True},
            },
            "misplaced_key",
        ),
        (
            {
                "name": "p",
                "rule": "redact",
                "at": "pre_model_call",
                "redact": {"patterns": "email", "restore": "yes"},
            },
            "bad_type",
        ),
        ({"name": "p", "rule": "redact", "at": "pre_model_call", "redact": {"restore": True}}, "missing_key"),
    ],
)
def test_what_cannot_be_asked_there_is_refused_at_load(problems, document, code):
    assert code in {problem.code for problem in problems(document)}


def test_what_is_asked_of_results_costs_nothing_before_a_call(compiled, make):
    policies = compiled({**TOOL, "at": "post_tool_call"})
    assert policies.policies == ()
    assert policies.of_results(make("read").action.operation)
    assert not policies.of_results(make("model_call").action.operation)


@pytest.mark.parametrize(
    ("condition", "awaits"),
    [
        ({}, True),
        ({"tool": "read_mail"}, True),
        ({"tool": "send_mail"}, False),
        ({"tool": "read_mail", "argument": {"result": {"matches": "x"}}}, True),
        ({"tool": "send_mail", "argument": {"result": {"matches": "x"}}}, False),
        ({"none": [{"argument": {"result.text": {"exists": True}}}]}, True),
        ({"any": [{"tool": "send_mail"}, {"argument": {"result.n": {"exceeds": 5}}}]}, True),
        ({"record_count_exceeds": 5}, True),
    ],
)
def test_an_action_awaits_judgement_unless_the_result_cannot_matter(compiled, make, condition, awaits):
    policies = compiled({**TOOL, "at": "post_tool_call", "condition": condition})
    found = policies.awaiting_result(make("read", tool="read_mail"))
    assert [one.policy.name for one in found] == (["p"] if awaits else [])


@pytest.mark.parametrize(
    ("compared", "result", "verdict"),
    [
        ({"result": {"matches": "(?i)ignore all"}}, "Ignore all that", True),
        ({"result": {"matches": "(?i)ignore all"}}, {"a": [{"b": "ignore ALL"}]}, True),
        ({"result": {"matches": "key"}}, {"key": 1}, True),
        ({"result": {"matches": "4711"}}, {"n": 4711}, True),
        ({"result": {"matches": "x"}}, {"a": [1, None, True]}, False),
        ({"result": {"pattern": "*x*"}}, [], False),
        ({"result.text": {"matches": "x"}}, {"text": "axa"}, True),
        ({"result.text": {"matches": "x"}}, {"other": "axa"}, False),
        ({"result.items.*.n": {"exceeds": 5}}, {"items": [{"n": 1}, {"n": 6}]}, True),
        ({"result.items.*.n": {"exceeds": 5}}, {"items": [{}]}, True),
        ({"result": {"not_in": ["ok"]}}, "ok", False),
    ],
)
def test_a_result_stands_where_the_arguments_stood(compiled, make, compared, result, verdict):
    policies = compiled({**TOOL, "at": "post_tool_call", "condition": {"argument": compared}})
    asked = make("read", arguments={"result": result})
    assert [one.code for one in policies.evaluate_result(asked)] == (["result_withheld"] if verdict else [])


def test_an_explanation_names_what_waits_for_the_result(compiled, make):
    policies = compiled({**TOOL, "at": "post_tool_call", "condition": {"tool": "read_mail"}})
    history = History(policies)
    [waiting] = explain(policies, make("read", tool="read_mail"), history).policies
    [idle] = explain(policies, replace(make("read", tool="other")), history).policies
    assert (waiting.outcome, idle.outcome) == ("on_result", "not_matched")
