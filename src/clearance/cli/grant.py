"""`clearance grant`: yeses in advance, within bounds."""

from __future__ import annotations

import click

from clearance.cli.desk import GrantWanted, desk
from clearance.cli.human_time import relative
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, target_options
from clearance.core.model import Grant
from clearance.wiring import utc_now

_HEADS = ("grant", "agent", "tool", "most", "used", "ends", "by", "for")


@click.group()
def grant() -> None:
    """Say yes in advance: this agent, this tool, up to so many records, so often, for so long.

    \b
    Example:
      clearance grant create billing sql.execute --rows 20 --minutes 30 --times 5
    """


@grant.command()
@click.argument("agent")
@click.argument("tool")
@click.option("--rows", type=click.IntRange(0), help="At most so many records at a time; else any number.")
@click.option("--minutes", type=click.FloatRange(0, 1_440, min_open=True), default=30.0, show_default=True)
@click.option("--times", type=click.IntRange(1, 1_000), default=1, show_default=True)
@click.option("--resource", multiple=True, metavar="PATTERN", help="Only on these (`*` is any text).")
@click.option("--policy", multiple=True, metavar="NAME", help="Only where this policy asks.")
@click.option("--reason", default="", help="Why; it stays in the record.")
@json_option
@target_options
@click.pass_obj
def create(
    target: Target,
    /,
    agent: str,
    tool: str,
    *,
    rows: int | None,
    minutes: float,
    times: int,
    resource: tuple[str, ...],
    policy: tuple[str, ...],
    reason: str,
    as_json: bool,
) -> None:
    """Make a grant. What it covers is not held for you; everything else about the action is decided as ever.

    With --rows only what a configured system or a guarded connection counted is covered.

    \b
    Example:
      clearance grant create billing send_email --times 5 --reason "monthly letters"
    """
    wanted = GrantWanted(
        agent=agent,
        tool=tool,
        policies=policy,
        resources=resource,
        most_records=rows,
        most_uses=times,
        seconds=minutes * 60,
        reason=reason,
    )
    with desk(target) as opened:
        made = opened.make_grant(wanted)
    if as_json:
        say_json(made)
    else:
        say_table(_HEADS, [_row(made)])


@grant.command("list")
@click.option("--agent", default="", metavar="NAME", help="Only this agent's.")
@json_option
@target_options
@click.pass_obj
def list_grants(target: Target, /, agent: str, *, as_json: bool) -> None:
    """List grants, newest first.

    \b
    Example:
      clearance grant list --agent billing
    """
    with desk(target) as opened:
        found = opened.grants(agent)
    if as_json:
        say_json({"grants": found})
    elif found:
        say_table(_HEADS, [_row(one) for one in found])
    else:
        say("No grants.")


@grant.command()
@click.argument("grant_id", metavar="ID")
@json_option
@target_options
@click.pass_obj
def revoke(target: Target, /, grant_id: str, *, as_json: bool) -> None:
    """Revoke a grant, at once.

    \b
    Example:
      clearance grant revoke grant_01a1fbb0a1b8
    """
    with desk(target) as opened:
        revoked = opened.revoke_grant(grant_id)
    if as_json:
        say_json(revoked)
    else:
        say(f"Revoked {revoked.grant_id}: {revoked.agent} may not use it any more.")


def _row(one: Grant) -> tuple[str, ...]:
    limits = (*one.resources, *(f"policy {name}" for name in one.policies))
    most = "any number" if one.most_records is None else f"{one.most_records:,}"
    used = f"{one.used} of {one.most_uses}"
    return (one.grant_id, one.agent, one.tool, most, used, _ends(one), one.by, ", ".join(limits) or "any")


def _ends(one: Grant) -> str:
    if one.revoked_at is not None:
        return f"revoked by {one.revoked_by}"
    if one.used >= one.most_uses:
        return "used up"
    return relative(one.expires_at, utc_now())
