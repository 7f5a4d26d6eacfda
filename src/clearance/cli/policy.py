"""`clearance policy`: policies checked, tested and explained from files, and changed in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clearance.cli import policy_store
from clearance.cli.action_options import action_options, call_of
from clearance.cli.explanation_text import explanation_lines
from clearance.cli.failures import FAILED
from clearance.cli.output import is_colored, json_option, say, say_json
from clearance.cli.policy_cases import FileReport, judged, run_test_file, set_of_files, test_files
from clearance.cli.target import Target, store_option
from clearance.cli.terminal_text import Style, paint, safe
from clearance.core.policy import CaseResult, History, PolicySet, Scope, explain
from clearance.errors import PolicyError, Problem
from clearance.wiring import utc_now

_PATH = click.Path(path_type=Path)  # that a file is there is a problem to report with the others


@click.group()
def policy() -> None:
    """Check, test and explain policies in files; list and change the ones in the store.

    \b
    Example:
      clearance policy check policies/
    """


for command in policy_store.COMMANDS:
    policy.add_command(command)


@policy.command()
@click.argument("files", nargs=-1, required=True, type=_PATH)
@json_option
def check(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Read and compile policy files or directories together. Exits 1 when there are problems, and lists all.

    \b
    Example:
      clearance policy check policies/ limits.yaml
    """
    policies: PolicySet | None = None
    problems: tuple[Problem, ...] = ()
    try:
        policies = set_of_files(files)
    except PolicyError as error:
        problems = error.problems
    if as_json:
        version, many = (policies.version, len(policies.policies)) if policies else ("", 0)
        say_json({"ok": not problems, "policies": many, "version": version, "problems": problems})
    for problem in problems if not as_json else ():
        say(paint(safe(str(problem)), Style.BAD, color=is_colored()))
    if policies is not None and not as_json:
        say(f"ok, version {policies.version}. Policies: {len(policies.policies)}.")
    if problems:
        raise click.exceptions.Exit(FAILED)


@policy.command("test")
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@click.option("--policies", multiple=True, type=_PATH, metavar="PATH", help="Test these policies instead.")
@json_option
def run_tests(paths: tuple[Path, ...], *, policies: tuple[Path, ...], as_json: bool) -> None:
    """Run the `*.test.yaml` files given, or found in the directories given. Exits 1 when a test fails.

    `limits.test.yaml` tests the policies of `limits.yaml` beside it, or, where there is no such file, all
    policies of its directory.

    \b
    Example:
      clearance policy test policies/
    """
    reports = [run_test_file(file, policies=policies) for file in test_files(paths)]
    if as_json:
        say_json({"passed": _count(reports, passed=True), "failed": _count(reports), "files": reports})
    else:
        for report in reports:
            _show_report(report)
        say(f"{_count(reports, passed=True)} passed, {_count(reports)} failed")
    if _count(reports):
        raise click.exceptions.Exit(FAILED)


@policy.command("explain")
@click.option(
    "--action", required=True, metavar="ACTION", help="A verb (update) or a tool's name (send_email)."
)
@action_options
@click.option("--policies", multiple=True, type=_PATH, metavar="PATH", help="These, not the store's.")
@json_option
@store_option
@click.pass_obj
def explain_action(
    target: Target,
    /,
    action: str,
    *,
    agent: str | None,
    policies: tuple[Path, ...],
    as_json: bool,
    **described: Any,
) -> None:
    """Say for one action which rules match, which do not, and on which condition. Records nothing.

    The action is judged as the first of its run and of its agent. Exits 0 whatever the rules say.

    \b
    Example:
      clearance policy explain --action update --payload '{"record_count": 40}' --policies limits.yaml
    """
    rules = set_of_files(policies) if policies else _stored(target)
    request = judged(
        call_of(action, agent=agent or target.settings().agent or "cli", **described), rules, at=utc_now()
    )
    history = History(rules)
    history.begin(Scope.RUN, request.context.run_id)
    history.begin(Scope.AGENT, request.principal.agent)
    explanation = explain(rules, request, history)
    if as_json:
        say_json(explanation)
        return
    for line in explanation_lines(explanation, color=is_colored()):
        say(line)


def _stored(target: Target) -> PolicySet:
    with target.store() as store:
        return store.control_point.policies.current()


def _count(reports: list[FileReport], *, passed: bool = False) -> int:
    return sum(case.passed is passed for report in reports for case in report.cases)


def _show_report(report: FileReport) -> None:
    color = is_colored()
    for case in report.cases:
        mark, style = ("pass", Style.GOOD) if case.passed else ("FAIL", Style.BAD)
        where = f"{report.file}:{case.line}" if case.line else report.file
        say(f"{paint(mark, style, color=color)}  {safe(where)}  {safe(case.name)}")
        if not case.passed:
            _show_failure(case)


def _show_failure(case: CaseResult) -> None:
    expected, actual = case.expected, case.actual
    wanted = [f"effect {expected.effect.value}"] if expected.effect else []
    wanted += [f"policies {_names(expected.policies)}"] if expected.policies is not None else []
    say(f"      expected  {safe(', '.join(wanted))}")
    if actual is None:
        say(f"      actual    {safe(case.error)}")
    else:
        say(f"      actual    {safe(f'effect {actual.effect.value}, policies {_names(actual.policies)}')}")


def _names(policies: tuple[str, ...]) -> str:
    return ", ".join(sorted(policies)) or "none"
