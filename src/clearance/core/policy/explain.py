"""Says of one request which policies matched, which did not, and on which condition."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from clearance.core.model import Mode, Request, Rule, Verdict
from clearance.core.policy.condition import Condition
from clearance.core.policy.evaluate import Policy, PolicySet, ResultPolicy
from clearance.core.policy.history import History
from clearance.core.policy.scopes import AllowList
from clearance.core.policy.truth import FALSE, NAMES, TRUE
from clearance.core.policy.view import View


class Outcome(StrEnum):
    """What became of a policy. The two `matched` give a verdict; `on_result` is asked after the call."""

    MATCHED = "matched"
    MATCHED_UNKNOWN = "matched_unknown"
    NOT_MATCHED = "not_matched"
    SKIPPED_UNKNOWN = "skipped_unknown"
    ON_RESULT = "on_result"


class ConditionExplanation(Struct, frozen=True, kw_only=True):
    """One condition: as written, its truth (`true`, `false`, `unknown`), and the value it was compared with.

    `actual` shows of arguments and facts only short scalars; of anything else its type and length.
    """

    condition: str
    truth: str
    line: int = 0
    actual: Any = None
    children: tuple[ConditionExplanation, ...] = ()


class PolicyExplanation(Struct, frozen=True, kw_only=True):
    """One policy and the tree of its conditions."""

    name: str
    rule: Rule
    mode: Mode
    outcome: Outcome
    file: str
    line: int
    conditions: ConditionExplanation


class ScopeExplanation(Struct, frozen=True, kw_only=True):
    """One allow list: whether it is for this agent, and if so whether and where it lists the action."""

    name: str
    mode: Mode
    applies: bool
    matched: bool
    entries: tuple[ConditionExplanation, ...] = ()


class Explanation(Struct, frozen=True, kw_only=True):
    """Everything that the policies have to say of one request. JSON-encodable."""

    policy_version: str
    policies: tuple[PolicyExplanation, ...]
    scopes: tuple[ScopeExplanation, ...]
    verdicts: tuple[Verdict, ...]


def explain(policy_set: PolicySet, request: Request, history: History) -> Explanation:
    """Explain every policy, those over results last, and every scope, by name. Changes nothing."""
    view = policy_set.view(request, history)
    return Explanation(
        policy_version=policy_set.version,
        policies=(
            *(_policy(policy, _outcome(policy, view), view) for policy in policy_set.policies),
            *(_of_result(one, view) for one in policy_set.results),
        ),
        scopes=tuple(_scope(one, view) for one in policy_set.scopes.lists),
        verdicts=tuple(policy_set.evaluate(request, history)),
    )


def _of_result(one: ResultPolicy, view: View) -> PolicyExplanation:
    """While the result is not there yet: what hangs on it is shown as unknown."""
    outcome = Outcome.NOT_MATCHED if one.may_hold.test(view) == FALSE else Outcome.ON_RESULT
    return _policy(replace(one.policy, condition=one.may_hold), outcome, view)


def _policy(policy: Policy, outcome: Outcome, view: View) -> PolicyExplanation:
    return PolicyExplanation(
        name=policy.name,
        rule=policy.rule,
        mode=policy.mode,
        outcome=outcome,
        file=policy.file,
        line=policy.line,
        conditions=_condition(policy.condition, view),
    )


def _outcome(policy: Policy, view: View) -> Outcome:
    truth = policy.condition.test(view)
    if truth == TRUE:
        return Outcome.MATCHED
    if truth == FALSE:
        return Outcome.NOT_MATCHED
    return Outcome.SKIPPED_UNKNOWN if policy.skips_unknown else Outcome.MATCHED_UNKNOWN


def _scope(one: AllowList, view: View) -> ScopeExplanation:
    applies = one.applies(view)
    return ScopeExplanation(
        name=one.name,
        mode=one.mode,
        applies=applies,
        matched=one.truth(view) == TRUE,
        entries=tuple(_condition(entry, view) for entry in one.entries) if applies else (),
    )


def _condition(condition: Condition, view: View) -> ConditionExplanation:
    return ConditionExplanation(
        condition=condition.text,
        truth=NAMES[condition.test(view)],
        line=condition.line,
        actual=None if condition.actual is None else condition.actual(view),
        children=tuple(_condition(child, view) for child in condition.children),
    )
