"""`clearance snapshot`: save state by hand, and prove that a snapshot can be read."""

from __future__ import annotations

import click

from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, target_options

_HEADS = ("system", "saved (UTC)", "records", "returns", "resources")


@click.group()
def snapshot() -> None:
    """Save the state of real systems, and check what was saved.

    \b
    Example:
      clearance snapshot take users.accounts --record 17
    """


@snapshot.command()
@click.argument("resource")
@click.option(
    "--record", "records", multiple=True, metavar="ID", help="Only this record; may be given again."
)
@json_option
@target_options
@click.pass_obj
def take(target: Target, resource: str, records: tuple[str, ...], *, as_json: bool) -> None:
    """Save a configured RESOURCE, or some records of it; prints the id that `clearance rollback` takes.

    \b
    Example:
      clearance snapshot take users.accounts --record 17 --record 18
    """
    settings = target.settings()
    agent = settings.agent or ("" if settings.url else "cli")
    with target.backend(is_new_fine=True) as backend:
        ids = list(records) or None
        taken = backend.snapshot(resource, record_ids=ids, agent=agent, run_id="")
    if as_json:
        say_json({"snapshot_id": taken})
    else:
        say(taken)


@snapshot.command()
@click.argument("snapshot_id")
@json_option
@target_options
@click.pass_obj
def verify(target: Target, snapshot_id: str, *, as_json: bool) -> None:
    """Read a snapshot whole and compare it with what was saved. Exits 1 where it is not as it was.

    \b
    Example:
      clearance snapshot verify snap_01a1fbb0a1b84107a69e82a94e2bd082
    """
    with target.backend() as backend:
        saved = backend.verify(snapshot_id)
    if as_json:
        say_json({"saved": saved})
        return
    rows = [
        (
            part.system,
            f"{part.at:%Y-%m-%d %H:%M:%S}",
            str(part.count),
            part.reversibility.value,
            ", ".join(part.resources),
        )
        for part in saved
    ]
    say_table(_HEADS, rows)
    for part in saved:
        for sentence in part.irreversible:
            say(f"not returned: {sentence}")
