"""The contract as cases: every vector gives the decision it names, and cites a clause that exists."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from clearance.core.decide import combine, is_liftable
from clearance.core.model import ActionCall, Approval, Context, Decision, Principal, Request
from clearance.core.policy import History, PolicySet, compile_policies, parse_value
from clearance.core.policy.posture import Posture
from clearance.core.verdicts import verdicts
from clearance.runtime.reading import read_call

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = sorted((ROOT / "vectors").glob("*.yaml"))
CASES = [
    pytest.param(case, id=f"{file.stem}: {case['name']}")
    for file in FILES
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))
]
CLAUSES = {
    clause
    for page in ("policy.md", "normalization.md")
    for clause in re.findall(r"\*\*([NP]\d+)\*\*", (ROOT / "spec" / page).read_text(encoding="utf-8"))
}
SCHEMA = {
    "type": "object",
    "required": ["name", "clause", "call", "expect"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "clause": {"type": "string", "pattern": r"^[NP]\d+$"},
        "document": {},
        "agent": {"type": "string"},
        "principal": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"team": {}, "roles": {}, "proof": {}, "on_behalf_of": {}},
        },
        "history": {"type": "array"},
        "call": {"type": "object"},
        "expect": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                "effect": {"enum": ["allow", "deny", "hold"]},
                "code": {"type": "string"},
                "policies": {"type": "array"},
                "certain": {"type": "boolean"},
                "obligations": {"type": "array"},
                "approval": {"type": "object"},
                "operation": {"type": "string"},
                "resources": {"type": "array"},
                "environment": {"type": "string"},
                "facts": {"type": "object"},
            },
        },
    },
}


def test_there_are_at_least_sixty_vectors_of_one_form() -> None:
    assert len(CASES) >= 60
    for case in CASES:
        Draft202012Validator(SCHEMA).validate(case.values[0])


@pytest.mark.parametrize("case", CASES)
def test_a_vector_holds(case: dict[str, Any]) -> None:
    assert case["clause"] in CLAUSES, f"{case['clause']} is no clause of the specification"
    policies = compile_policies([parse_value(case.get("document", {}), "vector")])
    history = History(policies)
    for before, earlier in enumerate(case.get("history", [])):
        measured = earlier.get("measured")
        call = {key: value for key, value in earlier.items() if key != "measured"}
        history.observe(request(case, call, policies, seconds=before), measured=measured)
    asked = request(case, case["call"], policies, seconds=case.get("after_seconds", 60))
    found = verdicts(asked, policies, history, Posture())
    decision = combine(found, policy_version=policies.version)
    told = told_of(asked, decision)
    assert {key: told[key] for key in case["expect"]} == case["expect"]


def request(case: dict[str, Any], call: dict[str, Any], policies: PolicySet, *, seconds: int) -> Request:
    call = dict(call)
    at = AT + timedelta(seconds=call.pop("at_seconds", seconds))
    run_id = call.pop("in_run", "run_1")
    agent = call.pop("by", case.get("agent", "billing"))
    context = Context(run_id=run_id, action_id="act_1", at=at, goal=call.pop("goal", ""))
    principal = msgspec.convert({**case.get("principal", {}), "agent": agent}, Principal)
    return read_call(msgspec.convert(call, ActionCall), principal, context, policies)


def told_of(asked: Request, decision: Decision) -> dict[str, Any]:
    first = decision.reasons[0]
    return {
        "effect": "hold" if is_liftable(decision) else decision.effect.value,
        "code": first.code.value,
        "certain": first.certain,
        "policies": sorted({reason.policy for reason in decision.reasons if reason.policy}),
        "obligations": sorted(msgspec.to_builtins(owed)["type"] for owed in decision.obligations),
        "approval": approval_of(decision),
        "operation": asked.action.operation.value,
        "resources": [resource.id for resource in asked.resources],
        "environment": asked.resources[0].environment.value,
        "facts": {name: fact.value for name, fact in asked.facts.items() if name in case_facts(asked)},
    }


def approval_of(decision: Decision) -> dict[str, Any]:
    owed = [one for one in decision.obligations if isinstance(one, Approval)]
    plain = msgspec.to_builtins(owed[0]) if owed else {}
    return {key: plain[key] for key in ("role", "team", "count", "four_eyes", "expires_seconds") if owed}


def case_facts(asked: Request) -> set[str]:
    return set(asked.facts) - {"argument_bytes", "resource_count"}
