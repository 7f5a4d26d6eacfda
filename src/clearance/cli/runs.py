"""`clearance runs`: the newest runs at a glance."""

from __future__ import annotations

import click

from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, target_options
from clearance.ports import RunQuery, RunSummary

_HEADS = ("run", "agent", "started (UTC)", "status", "actions", "refused", "alerts", "goal")


@click.command()
@click.option("--agent", default="", metavar="NAME", help="Only this agent's runs.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="At most so many."
)
@json_option
@target_options
@click.pass_obj
def runs(target: Target, agent: str, limit: int, *, as_json: bool) -> None:
    """List runs, newest first.

    \b
    Example:
      clearance runs --agent support-bot --limit 5
    """
    with target.backend() as backend:
        found = backend.runs(RunQuery(agent=agent, limit=limit))
    if as_json:
        say_json({"runs": found})
    elif found:
        say_table(_HEADS, [_row(run) for run in found], loud=("refused", "alerts"))
    else:
        say("No runs.")


def _row(run: RunSummary) -> tuple[str, ...]:
    started = f"{run.started_at:%Y-%m-%d %H:%M:%S}"
    counts = (str(run.actions), str(run.refused), str(run.alerts))
    return (run.run_id, run.agent, started, run.status, *counts, run.goal)
