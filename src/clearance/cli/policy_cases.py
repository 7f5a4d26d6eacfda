"""Policy test files: which there are, which policies each tests, and how one case is decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from clearance.config import read_policy_files
from clearance.core.decide import combine, is_liftable
from clearance.core.model import ActionCall, Context, Mode, Principal, Request
from clearance.core.policy import (
    CaseEffect,
    CaseOutcome,
    CaseResult,
    History,
    PolicySet,
    Scope,
    compile_policies,
    run_cases,
)
from clearance.errors import PolicyError, Problem, RequestError
from clearance.runtime.reading import read_call
from clearance.wiring import utc_now

_TESTS = ("*.test.yaml", "*.test.yml")
_NOBODY = "tester"  # who acts where a case names no agent
_RUN = "run"  # the run of every request that names none
_AGO = "seconds_ago"


class FileReport(Struct, frozen=True, kw_only=True):
    """One test file and how its cases went."""

    file: str
    cases: tuple[CaseResult, ...]


def set_of_files(paths: Sequence[Path]) -> PolicySet:
    """The policies of files and directories, compiled together. Raises PolicyError."""
    return compile_policies(read_policy_files([str(path) for path in paths]))


def test_files(paths: Sequence[Path]) -> list[Path]:
    """Raises PolicyError where a path is missing or holds no test: testing nothing is no success."""
    found: list[Path] = []
    problems: list[Problem] = []
    for path in paths:
        inside = [file for kind in _TESTS for file in sorted(path.rglob(kind))] if path.is_dir() else [path]
        if not path.exists():
            problems.append(Problem("no_such_file", "there is no such file or directory", str(path)))
        elif not inside:
            problems.append(Problem("no_tests", "holds no *.test.yaml", str(path)))
        found += inside
    if problems:
        raise PolicyError(problems)
    return found


def run_test_file(file: Path, *, policies: Sequence[Path] = ()) -> FileReport:
    """Raises PolicyError for a test file, or policies, that cannot be read."""
    rules = set_of_files(policies or [_tested_by(file)])
    now = utc_now()

    def decide(history: list[dict[str, Any]], request: dict[str, Any]) -> CaseOutcome:
        return _decide(rules, history, request, now=now)

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(
            [Problem("unreadable", f"cannot be read ({type(error).__name__})", str(file))]
        ) from None
    return FileReport(file=str(file), cases=run_cases(text, str(file), decide=decide))


def judged(call: ActionCall, rules: PolicySet, *, at: datetime) -> Request:
    """The request that these policies would judge, at this time."""
    principal = Principal(agent=call.agent or _NOBODY)
    context = Context(
        run_id=call.run_id or _RUN,
        action_id="action",
        at=at,
        goal=call.goal,
        parent_id=call.parent_id,
        honours=call.honours,
    )
    return read_call(call, principal, context, rules)


def _tested_by(file: Path) -> Path:
    """The policy file of the same name, or the directory."""
    name = file.name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".test")
    named = (file.with_name(f"{name}{suffix}") for suffix in (".yaml", ".yml"))
    return next((path for path in named if path.exists() and path != file), file.parent)


def _decide(
    rules: PolicySet, history: list[dict[str, Any]], request: dict[str, Any], *, now: datetime
) -> CaseOutcome:
    past = History(rules)
    asked = judged(_call(request), rules, at=now)
    past.begin(Scope.RUN, asked.context.run_id)
    past.begin(Scope.AGENT, asked.principal.agent)
    for earlier in sorted(history, key=_ago, reverse=True):
        call = {name: value for name, value in earlier.items() if name != _AGO}
        past.observe(judged(_call(call), rules, at=now - timedelta(seconds=_ago(earlier))))
    decision = combine(rules.evaluate(asked, past), policy_version=rules.version)
    fired = {reason.policy for reason in decision.reasons if reason.policy and reason.mode is Mode.ENFORCE}
    return CaseOutcome(
        effect=CaseEffect.HOLD if is_liftable(decision) else CaseEffect(decision.effect.value),
        policies=tuple(sorted(fired)),
    )


def _ago(call: dict[str, Any]) -> float:
    return float(call.get(_AGO, 0))


def _call(fields: dict[str, Any]) -> ActionCall:
    try:
        return msgspec.convert(fields, ActionCall)
    except msgspec.ValidationError as error:
        raise RequestError(f"This request cannot be judged: {error}.", reason="wrong_type") from None
