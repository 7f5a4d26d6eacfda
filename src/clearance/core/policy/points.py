"""When a policy is asked: reads `at`, narrows conditions to it, says what can be done with results."""

from __future__ import annotations

from collections.abc import Collection

from clearance.core.model import Operation, Point, Rule
from clearance.core.model.point import AFTER, BEFORE
from clearance.core.policy.condition import Condition, all_of, any_of, none_of
from clearance.core.policy.located import Located
from clearance.core.policy.obligations import Owed
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader
from clearance.core.policy.truth import FALSE, TRUE, UNKNOWN
from clearance.core.policy.values import NO_RESULT_PATH, leads_into_result
from clearance.core.policy.view import View

# What can still be done once an action has run: keep its result back, take out of it, tell somebody.
_OVER_RESULTS = frozenset({Rule.BLOCK, Rule.REDACT, Rule.ALERT})
_MODEL = frozenset({Point.PRE_MODEL_CALL, Point.POST_MODEL_CALL})
_TOOL = frozenset({Point.PRE_TOOL_CALL, Point.POST_TOOL_CALL})


def read_points(
    rule: Rule | None, fields: dict[str, Located], owed: Owed, reader: Reader
) -> frozenset[Point]:
    """The points of `at`; empty where it does not stand: before every call."""
    at = fields.get("at")
    read = [] if at is None else [reader.choice(child, Point, "at") for child in reader.values(at, "at")]
    points = frozenset(point for point in read if point is not None)
    if at is not None and points & AFTER:
        _check_over_results(rule, owed, at, reader)
        _check_not_mixed(points, owed, at, reader)
    if owed.restores and points != {Point.PRE_MODEL_CALL}:
        message = "restore puts back into a model's answer what was kept from the model: at: pre_model_call."
        reader.refuse(ProblemCode.MISPLACED_KEY, message, fields["redact"])
    return points


def narrowed(condition: Condition, points: Collection[Point], *, line: int) -> Condition:
    """The condition, for model calls or for tool calls only where `points` say so."""
    about = {point in _MODEL for point in points}
    if len(about) != 1:
        return condition
    return all_of([*condition.children, _only(line, is_model=about.pop())], line=condition.line)


def without_result(condition: Condition) -> Condition:
    """The same while the result is not there yet: whatever hangs on it is UNKNOWN."""
    if not condition.reads_arguments:
        return condition
    match condition.kind:
        case "all":
            return all_of([without_result(child) for child in condition.children], text=condition.text)
        case "any":
            return any_of([without_result(child) for child in condition.children])
        case "none":
            return none_of([without_result(child) for child in condition.children])
        case _:
            return Condition(text=condition.text, phrase=condition.phrase, line=condition.line, test=_unknown)


def _unknown(_view: View) -> int:
    return UNKNOWN


def _only(line: int, *, is_model: bool) -> Condition:
    """Certain either way: what is no model call is a tool call, even where its operation is not known."""
    held = frozenset(one for one in Operation if (one is Operation.MODEL_CALL) is is_model)

    def test(view: View) -> int:
        return TRUE if view.operation in held else FALSE

    phrase = "it is a model call" if is_model else "it is a tool call"
    return Condition(
        text=phrase,
        phrase=phrase,
        test=test,
        line=line,
        operations=held,
        attribute="operation",
        literals=held,
        accepts=lambda literal: literal in held,
    )


def _check_over_results(rule: Rule | None, owed: Owed, at: Located, reader: Reader) -> None:
    if rule is not None and rule not in _OVER_RESULTS:
        message = f"After a call a policy can block, redact or alert; {rule.value} comes too late."
        reader.refuse(ProblemCode.MISPLACED_KEY, message, at)
    if any(not leads_into_result(path) for path in owed.paths):
        reader.refuse(ProblemCode.BAD_VALUE, NO_RESULT_PATH, at)


def _check_not_mixed(points: Collection[Point], owed: Owed, at: Located, reader: Reader) -> None:
    """A path means an argument before a call and a part of the result after it."""
    if owed.paths and not BEFORE.isdisjoint(points):
        reader.refuse(ProblemCode.MISPLACED_KEY, MIXED, at)


MIXED = "Paths mean arguments before a call and the result after it; write one policy for each."
