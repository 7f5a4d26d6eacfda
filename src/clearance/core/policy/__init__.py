"""The policy language: parse, compile, evaluate, explain, test. Text and values in, values out."""

from clearance.core.policy.cases import (
    CaseEffect,
    CaseExpectation,
    CaseOutcome,
    CaseResult,
    run_cases,
)
from clearance.core.policy.compile import compile_policies
from clearance.core.policy.evaluate import Policy, PolicySet, ResultPolicy
from clearance.core.policy.explain import (
    ConditionExplanation,
    Explanation,
    Outcome,
    PolicyExplanation,
    ScopeExplanation,
    explain,
)
from clearance.core.policy.history import History
from clearance.core.policy.parse import Document, parse_value, parse_yaml
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.schema import json_schema
from clearance.core.policy.view import Scope

__all__ = [
    "CaseEffect",
    "CaseExpectation",
    "CaseOutcome",
    "CaseResult",
    "ConditionExplanation",
    "Document",
    "Explanation",
    "History",
    "Outcome",
    "Policy",
    "PolicyExplanation",
    "PolicySet",
    "ProblemCode",
    "ResultPolicy",
    "Scope",
    "ScopeExplanation",
    "compile_policies",
    "explain",
    "json_schema",
    "parse_value",
    "parse_yaml",
    "run_cases",
]
