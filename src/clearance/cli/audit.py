"""`clearance audit`: who did what to agents, keys, policies, people and the brake, and who said yes."""

from __future__ import annotations

from datetime import datetime

import click

from clearance.cli.moment import moment_option
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, store_option
from clearance.runtime.audit import Act, acts


@click.command()
@click.option(
    "--since", type=moment_option, metavar="TIME", help="Not before: 45m, 2h, 3d ago, or an ISO time."
)
@click.option("--by", default="", metavar="WHO", help="By this one: person:ann, service:deploy, local:root.")
@click.option("--act", default="", help="This act only: agent.retire, policy.create, hold.approve …")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="At most so many."
)
@json_option
@store_option
@click.pass_obj
def audit(target: Target, *, since: datetime | None, by: str, act: str, limit: int, as_json: bool) -> None:
    """List administrative acts and answers to holds, newest first.

    \b
    Example:
      clearance audit --since 7d --act agent.retire
    """
    with target.store() as store:
        found = acts(store.journal, since=since, by=by, act=act, limit=limit)
    if as_json:
        say_json({"acts": found})
    elif found:
        say_table(("time (UTC)", "by", "act", "target", "details"), [_row(one) for one in found])
    else:
        say("No acts.")


def _row(one: Act) -> tuple[str, ...]:
    details = ", ".join(f"{key}: {value}" for key, value in one.details.items())
    return (f"{one.at:%Y-%m-%d %H:%M:%S}", one.by, one.act, one.target, details)
