"""Compiles conditions over values: facts, and arguments by path. What cannot be compared is UNKNOWN."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import islice
from operator import ge, gt
from typing import Any

from clearance.core.policy.condition import CHEAP, LOOPING, SEARCHING, Condition, all_of, shown, sized
from clearance.core.policy.located import Located, plain
from clearance.core.policy.matching import Accepts, PatternError, any_expression, any_glob
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, did_you_mean, excerpt
from clearance.core.policy.truth import FALSE, TRUE, UNKNOWN
from clearance.core.policy.view import View
from clearance.core.policy.vocabulary import Key
from clearance.core.policy.wording import described, phrase, rendered

Judge = Callable[[Any], int]  # one value, present or None, to its truth

ARGUMENT_OPERATORS = ("equals", "in", "not_in", "exceeds", "at_least", "pattern", "matches", "exists")
# With these, what is absent cannot be known; the others say of it: no.
_LIMITING = frozenset({"exceeds", "at_least", "not_in"})
_SEARCHES = frozenset({"pattern", "matches"})
_MAX_PATH = 200
RESULT = "result"
NO_RESULT_PATH = "After a call only what came back can be looked at: a path begins with result (result.text)."


class _Judgement:
    """A judge, and what contradiction checks need to know of it."""

    __slots__ = ("accepts", "cost", "judge", "literals")

    def __init__(self, judge: Judge, *, literals: Collection[Any] | None = None, cost: int = CHEAP) -> None:
        self.judge = judge
        self.literals = literals
        self.cost = cost
        self.accepts: Accepts = lambda literal: judge(literal) == TRUE


def fact(key: Key, at: Located, *, reader: Reader) -> Condition | None:
    """The condition for one fact; None when it was refused."""
    judgement = _judgement(key.suffix, at, key.written, reader)
    if judgement is None:
        return None
    judge, name = judgement.judge, key.base

    def test(view: View) -> int:
        found = view.facts.get(name)
        return UNKNOWN if found is None else judge(found.value)

    def actual(view: View) -> Any:
        found = view.facts.get(name)
        return None if found is None else shown(found.value, name)

    return Condition(
        **described(key, at),
        test=test,
        actual=actual,
        remedy=f"{name} is not known; supply it in payload or declare the tool's facts",
        cost=judgement.cost,
        attribute=f"fact {name}",
        literals=judgement.literals,
        accepts=judgement.accepts,
    )


def argument(at: Located, *, reader: Reader, of_result: bool = False) -> Condition | None:
    """`argument: {path: literal}` or `argument: {path: {exceeds: 5}}`; every line must hold.

    `of_result`: the paths lead into what came back, under the name `result`.
    """
    fields = reader.mapping(at, "argument")
    if not fields and isinstance(at.value, dict):
        reader.refuse(ProblemCode.MISSING_KEY, "argument names no path.", at)
    conditions = []
    for path, child in fields.items():
        if not is_path(path):
            message = f'"{excerpt(path)}" is no argument path; write names and * with dots between.'
            reader.refuse(ProblemCode.BAD_VALUE, message, child)
            continue
        if of_result and not leads_into_result(path):
            reader.refuse(ProblemCode.BAD_VALUE, NO_RESULT_PATH, child)
            continue
        conditions.extend(_argument_conditions(path, child, reader, of_result=of_result))
    return all_of(conditions, text="argument", line=at.key_line) if conditions else None


def is_path(path: str) -> bool:
    return 0 < len(path) <= _MAX_PATH and all(path.split("."))


def leads_into_result(path: str) -> bool:
    """Whether a path is of a result: `result`, `result.items.*.email`."""
    return path.partition(".")[0] == RESULT


def _argument_conditions(path: str, at: Located, reader: Reader, *, of_result: bool) -> list[Condition]:
    if not isinstance(at.value, dict):
        equal = _argument_condition(path, "equals", at, reader, of_result=of_result)
        return [] if equal is None else [equal]
    conditions = []
    if not at.value:
        reader.refuse(ProblemCode.MISSING_KEY, f"argument {path} says nothing of the value.", at)
    for operator, child in at.value.items():
        if operator in ARGUMENT_OPERATORS:
            conditions.append(_argument_condition(path, operator, child, reader, of_result=of_result))
            continue
        message = f'argument {path}: "{excerpt(operator)}" is no operator.'
        hint = did_you_mean(operator, ARGUMENT_OPERATORS)
        reader.refuse(ProblemCode.UNKNOWN_KEY, message, child, suggestion=hint)
    return [one for one in conditions if one is not None]


def _argument_condition(
    path: str, operator: str, at: Located, reader: Reader, *, of_result: bool
) -> Condition | None:
    what = f"argument {path} {operator}"
    parts = tuple(path.split("."))
    if operator == "exists":
        return _existence(path, parts, at, reader)
    suffix = "" if operator == "equals" else operator
    judgement = _judgement(suffix, at, what, reader)
    if judgement is None:
        return None
    judge, absent = judgement.judge, UNKNOWN if operator in _LIMITING else FALSE
    if of_result and operator in _SEARCHES:
        judge = _anywhere(judge)

    def test(view: View) -> int:
        most = FALSE
        for value in walk(view.request.action.arguments, parts):
            most = max(most, absent if value is None else judge(value))
        return most

    return Condition(
        text=f"argument {path}: {{{operator}: {rendered(plain(at))}}}",
        phrase=phrase(f"argument {path}", operator, plain(at)),
        line=at.key_line,
        test=test,
        actual=lambda view: _shown_hits(view, path, parts),
        remedy=f"argument {path} is missing or not of the kind that the policy compares; pass it",
        cost=max(LOOPING, judgement.cost),
        attribute="" if "*" in parts else f"argument {path}",
        literals=judgement.literals,
        accepts=judgement.accepts,
        reads_arguments=True,
    )


def _anywhere(judge: Judge) -> Judge:
    """In a mapping or list every text and key is searched: who writes the rule does not know the form."""

    def within(value: Any) -> int:
        if isinstance(value, dict):
            return max(max(within(key), within(child)) for key, child in value.items()) if value else FALSE
        if isinstance(value, list):
            return max(map(within, value), default=FALSE)
        return FALSE if isinstance(value, bool | None) else judge(str(value))

    return within


def _existence(path: str, parts: tuple[str, ...], at: Located, reader: Reader) -> Condition | None:
    wanted = at.value
    if not isinstance(wanted, bool):
        reader.refuse(ProblemCode.BAD_TYPE, f"argument {path} exists must be true or false.", at)
        return None

    def test(view: View) -> int:
        hits = walk(view.request.action.arguments, parts, absent=_ABSENT)
        return TRUE if any(value is not _ABSENT for value in hits) is wanted else FALSE

    return Condition(
        text=f"argument {path}: {{exists: {rendered(wanted)}}}",
        phrase=f"argument {path} is {'present' if wanted else 'absent'}",
        line=at.key_line,
        test=test,
        actual=lambda view: _shown_hits(view, path, parts),
        cost=LOOPING,
        reads_arguments=True,
    )


_ABSENT = object()


def walk(value: Any, parts: tuple[str, ...], *, absent: Any = None) -> Iterator[Any]:
    """Every value at a path; `absent` where the path leads nowhere; nothing for `*` of an empty list."""
    if not parts:
        yield value
    elif parts[0] == "*" and isinstance(value, dict | list | tuple):
        for child in value.values() if isinstance(value, dict) else value:
            yield from walk(child, parts[1:], absent=absent)
    elif isinstance(value, dict) and parts[0] in value:
        yield from walk(value[parts[0]], parts[1:], absent=absent)
    else:
        yield absent


def _shown_hits(view: View, path: str, parts: tuple[str, ...]) -> Any:
    # Under a last `*` stand values of any name, which may be the name of a secret.
    show = sized if parts[-1] == "*" else partial(shown, name=path)
    hits = [show(value) for value in islice(walk(view.request.action.arguments, parts), 10)]
    return hits if "*" in parts else hits[0]


def _judgement(suffix: str, at: Located, what: str, reader: Reader) -> _Judgement | None:
    match suffix:
        case "exceeds" | "at_least":
            return _limit(suffix, at, what, reader)
        case "pattern" | "matches":
            return _search(suffix, at, what, reader)
        case _:
            return _membership(at, what, reader, is_negated=suffix == "not_in")


def _limit(suffix: str, at: Located, what: str, reader: Reader) -> _Judgement | None:
    limit = reader.number(at, what)
    if limit is None:
        return None
    meets = gt if suffix == "exceeds" else ge

    def judge(value: Any) -> int:
        kind = type(value)
        if kind is int or (kind is float and value - value == 0.0):
            return TRUE if meets(value, limit) else FALSE
        return UNKNOWN

    return _Judgement(judge)


def _search(suffix: str, at: Located, what: str, reader: Reader) -> _Judgement | None:
    words = reader.texts(at, what)
    if not words:
        return None
    try:
        accepts = any_glob(words) if suffix == "pattern" else any_expression(words)
    except PatternError as error:
        reader.refuse(ProblemCode.BAD_PATTERN, f"{what}: {error}.", at)
        return None

    def judge(value: Any) -> int:
        if type(value) is not str:
            return UNKNOWN
        return TRUE if accepts(value) else FALSE

    return _Judgement(judge, cost=SEARCHING)


def _membership(at: Located, what: str, reader: Reader, *, is_negated: bool) -> _Judgement | None:
    read = [reader.scalar(child, what) for child in reader.values(at, what)]
    literals = [value for value in read if value is not None]
    if not literals:
        return None
    members = frozenset(tagged(value) for value in literals)
    kinds = {kind for kind, _ in members}
    held, other = (FALSE, TRUE) if is_negated else (TRUE, FALSE)

    def judge(value: Any) -> int:
        tag = tagged(value)
        if tag[0] not in kinds:
            return UNKNOWN
        return held if tag in members else other

    return _Judgement(judge, literals=None if is_negated else literals)


def tagged(value: Any) -> tuple[str, Any]:
    """A scalar with its kind, so that 1, "1" and true are three values; ("", None) for anything else."""
    if isinstance(value, bool):
        return "flag", value
    if isinstance(value, int) or (isinstance(value, float) and value - value == 0.0):
        return "number", value
    return ("text", value) if isinstance(value, str) else ("", None)
