"""Unit tests of policies, in YAML beside them: read and compared here, decided by the caller."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from clearance.core.model import ActionCall, Environment, Operation
from clearance.core.policy.located import Located, locate_yaml, plain
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, in_order
from clearance.errors import ClearanceError, PolicyError

REQUEST_KEYS = tuple(ActionCall.__struct_fields__)
# How long before the request an earlier action was cleared; without it, at the same time.
AGO = "seconds_ago"
_CASE_KEYS = ("name", "request", "history", "expect")
_EXPECT_KEYS = ("effect", "policies")


class CaseEffect(StrEnum):
    """What a test may expect. HOLD is a refusal that an approval can lift."""

    ALLOW = "allow"
    DENY = "deny"
    HOLD = "hold"


class CaseOutcome(Struct, frozen=True, kw_only=True):
    """What was decided: the effect, and the names of the enforced policies that fired, in any order."""

    effect: CaseEffect
    policies: tuple[str, ...] = ()


class CaseExpectation(Struct, frozen=True, kw_only=True):
    """What a test expects; None: nothing said about it."""

    effect: CaseEffect | None = None
    policies: tuple[str, ...] | None = None


class CaseResult(Struct, frozen=True, kw_only=True):
    """One test and how it went. `error` is set where the request could not be decided at all."""

    name: str
    passed: bool
    expected: CaseExpectation
    actual: CaseOutcome | None
    line: int
    error: str = ""


class Decide(Protocol):
    """Decides one request after a history of cleared ones; all in the form of an ActionCall."""

    def __call__(self, history: list[dict[str, Any]], request: dict[str, Any], /) -> CaseOutcome: ...


class _Case(Struct, frozen=True, kw_only=True):
    name: str
    line: int
    request: dict[str, Any]
    history: list[dict[str, Any]]
    expected: CaseExpectation


def run_cases(text: str, file: str, *, decide: Decide) -> tuple[CaseResult, ...]:
    """Run every test of a file, in order. Raises PolicyError when the file is not a test file."""
    roots, problems = locate_yaml(text, file)
    reader = Reader(problems)
    cases = [case for root in roots if root.value is not None for case in _cases(root, reader)]
    if reader.problems:
        raise PolicyError(in_order(reader.problems))
    return tuple(_result(case, decide) for case in cases)


def _result(case: _Case, decide: Decide) -> CaseResult:
    actual, error = None, ""
    try:
        actual = decide(case.history, case.request)
    except ClearanceError as refused:
        error = str(refused)
    return CaseResult(
        name=case.name,
        passed=actual is not None and _meets(actual, case.expected),
        expected=case.expected,
        actual=actual,
        line=case.line,
        error=error,
    )


def _meets(actual: CaseOutcome, expected: CaseExpectation) -> bool:
    if expected.effect not in (None, actual.effect):
        return False
    return expected.policies is None or set(actual.policies) == set(expected.policies)


def _cases(root: Located, reader: Reader) -> list[_Case]:
    fields = reader.fields(root, "A test file", ("tests",))
    if "tests" not in fields:
        reader.refuse(ProblemCode.MISSING_KEY, "A test file needs tests: a list of tests.", root)
        return []
    names: set[str] = set()
    return [_case(child, names, reader) for child in reader.items(fields["tests"], "tests")]


def _case(at: Located, names: set[str], reader: Reader) -> _Case:
    fields = reader.fields(at, "A test", _CASE_KEYS)
    for key in ("name", "request", "expect"):
        if isinstance(at.value, dict) and key not in fields:
            reader.refuse(ProblemCode.MISSING_KEY, f"A test needs {key}.", at)
    name = reader.name(fields["name"], "name") if "name" in fields else ""
    if name in names:
        reader.refuse(ProblemCode.DUPLICATE_NAME, f'A test named "{name}" stands here already.', at)
    names.add(name)
    earlier = reader.items(fields["history"], "history") if "history" in fields else ()
    return _Case(
        name=name,
        line=at.line,
        request=_call(fields["request"], REQUEST_KEYS, reader) if "request" in fields else {},
        history=[_call(child, (*REQUEST_KEYS, AGO), reader) for child in earlier],
        expected=_expectation(fields["expect"], reader) if "expect" in fields else CaseExpectation(),
    )


def _call(at: Located, known: tuple[str, ...], reader: Reader) -> dict[str, Any]:
    fields = reader.fields(at, "A request", known)
    if "action" not in fields and isinstance(at.value, dict):
        reader.refuse(ProblemCode.MISSING_KEY, "A request needs action.", at)
    for key, child in fields.items():
        _check(key, child, reader)
    return {key: plain(child) for key, child in fields.items()}


def _check(key: str, at: Located, reader: Reader) -> None:
    match key:
        case "arguments" | "payload" | "facts":
            reader.mapping(at, key)
        case "resource":
            reader.texts(at, key)
        case "honours":
            reader.items(at, key)
        case "operation":
            reader.choice(at, Operation, key)
        case "environment":
            reader.choice(at, Environment, key)
        case "seconds_ago":
            reader.number(at, key, least=0)
        case _:
            reader.text(at, key)


def _expectation(at: Located, reader: Reader) -> CaseExpectation:
    fields = reader.fields(at, "expect", _EXPECT_KEYS)
    if not fields and isinstance(at.value, dict):
        message = "expect says nothing: give effect, policies or both."
        reader.refuse(ProblemCode.MISSING_KEY, message, at)
    policies: tuple[str, ...] | None = None
    if "policies" in fields:
        policies = tuple(
            reader.text(child, "policies") for child in reader.items(fields["policies"], "policies")
        )
    effect = reader.choice(fields["effect"], CaseEffect, "effect") if "effect" in fields else None
    return CaseExpectation(effect=effect, policies=policies)
