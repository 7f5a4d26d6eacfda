"""`clearance holds`: what waits for a person, and everything about one."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
import msgspec

from clearance.cli.choices import choice_of
from clearance.cli.desk import Desk, desk, find_hold
from clearance.cli.failures import FAILED
from clearance.cli.hold_text import count_text, hold_lines, why_text
from clearance.cli.human_time import relative, span
from clearance.cli.output import is_colored, json_option, say, say_json, say_table, width
from clearance.cli.target import Target, target_options
from clearance.core.model import HoldStatus, HoldView
from clearance.ports import HoldQuery
from clearance.wiring import utc_now

_HEADS = ("hold", "status", "age", "expires", "agent", "tool", "count", "why")
_LOOK_SECONDS = 1.0
_WENT_WRONG = frozenset({HoldStatus.DENIED, HoldStatus.EXPIRED, HoldStatus.VOID})
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


@click.group(invoke_without_command=True)
@click.option("--status", type=choice_of(HoldStatus), help="Only these; without it, the open ones.")
@click.option("--all", "is_all", is_flag=True, help="The ended ones too.")
@click.option("--agent", default="", metavar="NAME", help="Only this agent's.")
@click.option("--run", "run_id", default="", metavar="ID", help="Only this run's.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="At most so many."
)
@click.option("--watch", is_flag=True, help="Go on showing them as they change, until Ctrl-C.")
@json_option
@target_options
@click.pass_context
def holds(context: click.Context, /, **wanted: Any) -> None:
    """List what waits for a person, newest first. `clearance holds show ID` tells everything about one.

    \b
    Examples:
      clearance holds
      clearance holds --watch
      clearance holds show hold_01a1fbb0a1b8
    """
    if context.invoked_subcommand is not None:
        return
    is_watching, as_json = wanted.pop("watch"), wanted.pop("as_json")
    with desk(context.find_object(Target) or Target()) as opened:
        if is_watching:
            _watch(opened, wanted, as_json=as_json)
        found = _found(opened, **wanted)
    if as_json:
        say_json({"holds": found})
    else:
        _show_table(found)


@holds.command()
@click.argument("hold", metavar="ID")
@json_option
@target_options
@click.pass_obj
def show(target: Target, /, hold: str, *, as_json: bool) -> None:
    """Show everything that an approver goes by: arguments (redacted), what was counted, the run so far.

    ID is a hold's id, or the beginning of one. Exits 1 for one that was denied, has expired or is void.

    \b
    Example:
      clearance holds show hold_01a1fbb0a1b8
    """
    with desk(target) as opened:
        found = find_hold(opened, hold)
        if as_json:
            say_json(found)
        else:
            show_hold(opened, found)
    if found.status in _WENT_WRONG:
        raise click.exceptions.Exit(FAILED)


def show_hold(opened: Desk, hold: HoldView) -> None:
    """Print one whole."""
    records = opened.trace(hold.run_id) if hold.shown.steps_before else []
    for line in hold_lines(hold, records, now=utc_now(), color=is_colored(), width=width()):
        say(line)


def _found(
    opened: Desk, *, status: str | None, is_all: bool, agent: str, run_id: str, limit: int
) -> list[HoldView]:
    if status is not None or is_all:
        only = None if status is None else HoldStatus(status)
        return opened.holds(HoldQuery(status=only, agent=agent, run_id=run_id, limit=limit))
    pending, approved = (
        opened.holds(HoldQuery(status=one, agent=agent, run_id=run_id, limit=limit))
        for one in (HoldStatus.PENDING, HoldStatus.APPROVED)
    )
    return sorted((*pending, *approved), key=lambda hold: hold.created_at, reverse=True)[:limit]


def _show_table(found: list[HoldView]) -> None:
    if found:
        say_table(_HEADS, [_row(hold) for hold in found])
    else:
        say("Nothing is held.")


def _row(hold: HoldView) -> tuple[str, ...]:
    now = utc_now()
    expires = relative(hold.expires_at, now) if hold.is_open else ""
    age = span((now - hold.created_at).total_seconds())
    shown = hold.shown
    return (
        hold.hold_id,
        hold.status.value,
        age,
        expires,
        hold.agent,
        shown.tool,
        count_text(shown),
        why_text(hold),
    )


def _watch(opened: Desk, wanted: dict[str, Any], *, as_json: bool) -> None:
    """Until Ctrl-C. JSON is one line for each hold that is new or has changed."""
    seen: dict[str, int] | None = None
    while True:
        found = _found(opened, **wanted)
        now = {hold.hold_id: hold.version for hold in found}
        if as_json:
            for hold in reversed(found):
                if (seen or {}).get(hold.hold_id) != hold.version:
                    click.echo(msgspec.json.encode(hold).decode())
        elif sys.stdout.isatty():
            click.echo(_CLEAR, nl=False)
            _show_table(found)
        elif now != seen:
            _show_table(found)
        sys.stdout.flush()
        seen = now
        time.sleep(_LOOK_SECONDS)
