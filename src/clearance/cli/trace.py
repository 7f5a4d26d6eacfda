"""`clearance trace`: one run read back as a tree, or all records searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from clearance.cli.choices import choice_of
from clearance.cli.failures import FAILED
from clearance.cli.find_run import find_run
from clearance.cli.moment import moment_option
from clearance.cli.output import is_colored, json_option, say, say_json, say_table, width
from clearance.cli.run_proof import problems_of
from clearance.cli.target import Target, target_options
from clearance.cli.terminal_text import Style, paint, safe
from clearance.cli.trace_tree import render
from clearance.core.model import Effect, Operation, OutcomeStatus, Record, RecordKind
from clearance.ports import RecordQuery

_EXAMPLES = """\b
Examples:
  clearance trace last
  clearance trace run_019f2c --full
  clearance trace search invoice --effect deny --since 2h
"""
_HEADS = ("time (UTC)", "run", "seq", "kind", "effect", "status", "agent", "tool")


class _ShowsByDefault(click.Group):
    """`clearance trace RUN` means `clearance trace show RUN`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, *self.get_help_option_names(ctx)}
        return super().parse_args(ctx, args if not args or args[0] in own else ["show", *args])


@click.group(cls=_ShowsByDefault, epilog=_EXAMPLES)
def trace() -> None:
    """Read one run back (`clearance trace RUN`, see `clearance trace show --help`), or search all records."""


@trace.command()
@click.argument("run")
@click.option("--full", is_flag=True, help="Show long values whole.")
@click.option("--verify", is_flag=True, help="Recompute the run's hashes; exit 1 when they do not fit.")
@json_option
@target_options
@click.pass_obj
def show(target: Target, /, run: str, *, full: bool, verify: bool, as_json: bool) -> None:
    """Read one run back: goal, actions, decisions with their reasons, results.

    RUN is a run's id, the beginning of one, or `last`. The word `show` may be left out.

    \b
    Example:
      clearance trace last --verify
    """
    with target.backend() as backend:
        records = find_run(backend, run)
        problems = problems_of(records, backend) if verify else ()
    if as_json:
        say_json({"records": records, "problems": problems} if verify else {"records": records})
    else:
        say(render(records, color=is_colored(), width=width(), full=full))
        if verify:
            _say_proof(records, problems)
    if problems:
        raise click.exceptions.Exit(FAILED)


def _say_proof(records: Sequence[Record], problems: Sequence[str]) -> None:
    say("")
    for problem in problems:
        say(paint(safe(problem), Style.BAD, color=is_colored()))
    if not problems:
        told = f"verified: {len(records)} records, every hash recomputed; the last is {records[-1].hash}"
        say(paint(told, Style.GOOD, color=is_colored()))


@trace.command()
@click.argument("text", default="")
@click.option("--agent", metavar="NAME", help="Only this agent's records.")
@click.option("--tool", metavar="NAME", help="Only actions of this tool.")
@click.option("--operation", type=choice_of(Operation), help="Only actions of this verb.")
@click.option("--effect", type=choice_of(Effect), help="Only actions decided so.")
@click.option("--kind", type=choice_of(RecordKind), help="Only records of this kind.")
@click.option("--status", type=choice_of(OutcomeStatus), help="Only what ended so.")
@click.option(
    "--since", type=moment_option, metavar="TIME", help="Not before: 45m, 2h, 3d ago, or an ISO time."
)
@click.option("--until", type=moment_option, metavar="TIME", help="Not after; the same forms.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="At most so many."
)
@json_option
@target_options
@click.pass_obj
def search(target: Target, /, *, as_json: bool, **wanted: Any) -> None:
    """Find records, newest first. TEXT is sought in what they hold.

    \b
    Examples:
      clearance trace search invoice --agent billing
      clearance trace search --effect deny --since 2h
    """
    query = RecordQuery(**{name: value for name, value in wanted.items() if value is not None})
    with target.backend() as backend:
        found = backend.search(query)
    if as_json:
        say_json({"records": found})
    elif found:
        say_table(_HEADS, [_row(record) for record in found])
    else:
        say("No records match.")


def _row(record: Record) -> tuple[str, ...]:
    at = f"{record.at:%Y-%m-%d %H:%M:%S}"
    effect = "DENY" if record.effect == Effect.DENY else record.effect
    what = (record.kind.value, effect, record.status, record.agent, record.tool)
    return (at, record.run_id, str(record.seq), *what)
