"""An explanation in lines: what matched in full, what did not by the conditions that kept it out. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from clearance.cli.reason_text import reason_text
from clearance.cli.terminal_text import Style, cut, paint, safe
from clearance.core.decide import combine
from clearance.core.model import Effect, Mode
from clearance.core.policy import (
    ConditionExplanation,
    Explanation,
    Outcome,
    PolicyExplanation,
    ScopeExplanation,
)

_LOOK = {
    Outcome.MATCHED: ("✓ matched", Style.WARN),
    Outcome.MATCHED_UNKNOWN: ("? matched, a value cannot be known", Style.WARN),
    Outcome.ON_RESULT: ("→ asked of the result", Style.QUIET),
    Outcome.SKIPPED_UNKNOWN: ("· not matched, a value cannot be known (on_unknown: skip)", Style.QUIET),
    Outcome.NOT_MATCHED: ("· not matched", Style.QUIET),
}
_MARKS = {"true": "✓", "false": "✗", "unknown": "?"}
_LONGEST_VALUE = 60  # columns


def explanation_lines(explanation: Explanation, *, color: bool) -> Iterator[str]:
    """The decision that all verdicts make together, then every policy, then the scopes."""
    decision = combine(explanation.verdicts, policy_version=explanation.policy_version)
    verdict, style = ("DENY", Style.BAD) if decision.effect is Effect.DENY else ("ALLOW", Style.GOOD)
    yield f"{paint(verdict, style, color=color)}  {reason_text(decision.reasons[0])}"
    for policy in explanation.policies:
        yield from _policy(policy, color=color)
    for scope in explanation.scopes:
        yield from _scope(scope, color=color)


def _policy(policy: PolicyExplanation, *, color: bool) -> Iterator[str]:
    mark, style = _LOOK[policy.outcome]
    shadow = ", shadow" if policy.mode is Mode.SHADOW else ""
    name = paint(safe(policy.name), Style.NAME, color=color)
    yield f"{name} ({policy.rule.value}{shadow})  {paint(mark, style, color=color)}"
    matched = policy.outcome in (Outcome.MATCHED, Outcome.MATCHED_UNKNOWN)
    for condition in policy.conditions.children or (policy.conditions,):
        yield from _conditions(condition, indent="    ", only_failing=not matched)


def _scope(scope: ScopeExplanation, *, color: bool) -> Iterator[str]:
    told = "not for this agent" if not scope.applies else "lists it" if scope.matched else "does not list it"
    shadow = ", shadow" if scope.mode is Mode.SHADOW else ""
    style = Style.WARN if scope.applies and not scope.matched else Style.QUIET
    name = paint(safe(scope.name), Style.NAME, color=color)
    yield f"{name} (allow{shadow})  {paint(told, style, color=color)}"
    for entry in scope.entries:
        yield from _conditions(entry, indent="    ", only_failing=not scope.matched)


def _conditions(one: ConditionExplanation, *, indent: str, only_failing: bool) -> Iterator[str]:
    if only_failing and one.truth == "true":
        return
    actual = "" if one.actual is None else f"   actual: {_value(one.actual)}"
    line = f"   line {one.line}" if one.line else ""
    yield f"{indent}{_MARKS[one.truth]} {safe(one.condition)}{actual}{line}"
    for child in one.children:
        yield from _conditions(child, indent=f"{indent}  ", only_failing=only_failing)


def _value(value: object) -> str:
    return cut(safe(msgspec.json.encode(value, enc_hook=str).decode()), _LONGEST_VALUE)
