"""The published schema is the one of the code, and takes what compiles."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.policy import json_schema
from clearance.errors import PolicyError

PUBLISHED = Path(__file__).parents[3] / "spec" / "policy.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())

EVERYTHING = {
    "version": 1,
    "facts": ["ticket_count"],
    "tools": {
        "send_money": {
            "operation": "send",
            "resource": "account:{recipient}",
            "environment": "production",
            "facts": {
                "amount": {"value": "amount"},
                "record_count": 1,
                "recipient_count": {"count": "recipients"},
            },
        },
        "run_query": {"family": "sql", "argument": "query"},
        "send_email": None,
    },
    "roles": {"support": {"may": [{"tool": "run_*"}, {"operation": "read", "resource": "crm.*"}]}},
    "agents": {
        "billing-agent": {"roles": ["support"], "may": [{"operation": ["read", "update"]}]},
        "x": None,
    },
    "policies": [
        {
            "name": "structured",
            "rule": "block",
            "mode": "shadow",
            "message": "No.",
            "description": "Why.",
            "on_unknown": "skip",
            "condition": {
                "action": ["send_email", "update"],
                "record_count_exceeds": 25,
                "ticket_count_at_least": 3,
                "ticket_tier": "gold",
                "region_not_in": ["eu", "us"],
                "environment_in": ["production"],
                "domain_not_in": ["example.com", "*.example.org"],
                "any": [{"goal_matches": "x"}, {"none": [{"door": "sdk"}]}],
                "argument": {"to.*.name": "bob", "n": {"exceeds": 5, "in": [6, 7]}, "q": {"exists": True}},
                "after": {"match": {"tool": "run_query"}, "of": "run"},
                "count_within": {"seconds": 60, "exceeds": 5, "of": "agent"},
                "sum_within": {"fact": "amount", "seconds": 60, "at_least": 0.5},
                "distinct_within": {"value": {"argument": "to"}, "seconds": 60, "exceeds": 5},
            },
        },
        {"name": "cel", "rule": "alert", "when": "agent == 'a'"},
        {"name": "redact", "rule": "redact", "redact": {"arguments": ["a.b"], "patterns": ["email"]}},
        {"name": "limit", "rule": "limit", "limit": {"timeout_seconds": 1.5, "result_items": 10}},
    ],
}


def test_the_published_schema_is_current():
    assert json.loads(PUBLISHED.read_text()) == json_schema(), (
        "write json_schema() to spec/policy.schema.json again"
    )


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_a_document_that_uses_everything_compiles_and_is_valid(compiled):
    assert len(compiled(EVERYTHING).policies) == 4
    VALIDATOR.validate(EVERYTHING)


@given(data=st.data())
def test_whatever_compiles_is_valid(data, compiled, policy_lists):
    policies = data.draw(policy_lists)
    try:
        compiled(policies)
    except PolicyError:
        return
    VALIDATOR.validate(policies)


@pytest.mark.parametrize(
    "document",
    [
        {"polices": []},
        {"name": "p"},
        {"name": "p", "rule": "blok"},
        {"name": "p", "rule": "redact"},
        {"name": "p", "rule": "block", "limit": {"result_items": 1}},
        {"name": "p", "rule": "block", "condition": {"operation": "udpate"}},
        {"name": "p", "rule": "block", "condition": {"record_count_exceeds": "25"}},
        {"name": "p", "rule": "block", "condition": {"any": []}},
        {"name": "p", "rule": "block", "condition": {"after": {"mach": {}}}},
        {"name": "p", "rule": "block", "condition": {"argument": {"n": {"exceds": 1}}}},
    ],
    ids=str,
)
def test_an_editor_marks_the_common_mistakes(document):
    assert not VALIDATOR.is_valid(document)


def test_every_key_is_described():
    condition = json_schema()["$defs"]["condition"]["properties"]
    assert all("description" in one or "$ref" in one for one in condition.values())
