"""`clearance check`: one action decided and recorded, for scripts and for trying policies out."""

from __future__ import annotations

from typing import Any

import click

from clearance.cli.action_options import action_options, call_of
from clearance.cli.failures import FAILED
from clearance.cli.output import is_colored, json_option, say, say_json, width
from clearance.cli.radius_text import radius_lines
from clearance.cli.reason_text import obligation_text, reason_label, reason_text
from clearance.cli.target import Target, target_options
from clearance.cli.terminal_text import Style, fold, paint, safe
from clearance.core.model import ActionCall, CheckResult, OutcomeReport, OutcomeStatus

_LABEL = 11  # columns for `because` and its like
_NOBODY_REPORTS = OutcomeStatus.NOT_REPORTED


@click.command()
@click.argument("action")
@action_options
@click.option("--hold", "hold_id", default="", metavar="ID", help="Take up what was held, after the yes.")
@json_option
@target_options
@click.pass_obj
def check(target: Target, /, action: str, *, agent: str | None, as_json: bool, **described: Any) -> None:
    """Decide one action, and record the decision. ACTION is a verb (update) or a tool's name (send_email).

    Exits 0 when it may run and 1 when not. Nobody reports how it ended: the record says `not_reported`.

    \b
    Examples:
      clearance check delete --resource production.users
      clearance check update --resource users.accounts --payload '{"record_count": 40}'
      clearance check send_email --arguments @message.json --agent billing --json
    """
    settings = target.settings()
    name = agent or settings.agent or ("" if settings.url else "cli")
    result = _decide(target, call_of(action, agent=name, **described))
    if as_json:
        say_json(result)
    else:
        _show(action, result)
    if result.blocked:
        raise click.exceptions.Exit(FAILED)


def _decide(target: Target, call: ActionCall) -> CheckResult:
    with target.backend(is_new_fine=True) as backend:
        result = backend.clear(call)
        if result.allowed:
            backend.report(result.action_id, OutcomeReport(status=_NOBODY_REPORTS))
        backend.end_run(result.run_id, status=_NOBODY_REPORTS, error="")
    return result


def _show(action: str, result: CheckResult) -> None:
    color = is_colored()
    verdict, style = ("DENY", Style.BAD) if result.blocked else ("ALLOW", Style.GOOD)
    say(f"{paint(verdict, style, color=color)}  {paint(safe(action), Style.NAME, color=color)}")
    for index, reason in enumerate(result.reasons):
        label, look = reason_label(reason)
        _say_under(label, reason_text(reason), style if result.blocked and index == 0 else look)
    for owed in result.obligations:
        _say_under("owed", obligation_text(owed), Style.PLAIN)
    for line in radius_lines(result.radius):
        _say_under("touches", safe(line), Style.PLAIN)
    if result.snapshot_id:
        _say_under("snapshot", result.snapshot_id, Style.PLAIN)
    _say_under("recorded", f"{result.run_id} {result.action_id}", Style.QUIET)


def _say_under(label: str, text: str, style: Style) -> None:
    color = is_colored()
    for index, line in enumerate(fold(text, max(width() - _LABEL - 2, 24))):
        name = paint(f"{label if index == 0 else '':<{_LABEL}}", Style.QUIET, color=color)
        say(f"  {name}{paint(line, style, color=color)}")
