"""`clearance rollback`: put back what a snapshot, an action or a whole run changed."""

from __future__ import annotations

import click

from clearance.cli.failures import FAILED, tell
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, target_options
from clearance.core.model import RestoreMode, RestoreStatus, Undone
from clearance.errors import RestoreConflictError

_HEADS = ("action", "system", "what came of it", "restored", "already", "conflicts", "skipped", "verified")
_DONE = {
    RestoreStatus.PLANNED: "would be restored",
    RestoreStatus.RESTORED: "restored",
    RestoreStatus.PARTIAL: "restored in part",
    RestoreStatus.CONFLICT: "in conflict, left alone",
    RestoreStatus.ALREADY_UNDONE: "undone before",
    RestoreStatus.NOTHING_SAVED: "nothing was saved",
}


@click.command()
@click.argument("what", metavar="ID")
@click.option(
    "--dry-run", is_flag=True, help="Tell what would be restored and what is in conflict; change nothing."
)
@click.option("--only-free", is_flag=True, help="Restore what nobody changed since, and leave the rest.")
@json_option
@target_options
@click.pass_obj
def rollback(target: Target, what: str, *, dry_run: bool, only_free: bool, as_json: bool) -> None:
    """Put back what was changed. ID is a snapshot (snap_…), an action (act_…) or a run (run_…, newest first).

    All of it or nothing: what somebody changed since is named by its key, and then nothing is restored,
    unless --only-free says so. Again is no harm. Exits 0 when done, 1 on a conflict or a refusal.

    \b
    Examples:
      clearance rollback act_01a1fbb0a1b84107a69e82a94e2bd082 --dry-run
      clearance rollback run_01a1fbb0a1b6a4e287bab2117e27f811
    """
    if dry_run and only_free:
        raise click.UsageError("--dry-run changes nothing; leave --only-free out.")
    mode = RestoreMode.PLAN if dry_run else RestoreMode.FREE if only_free else RestoreMode.ALL
    settings = target.settings()
    agent = settings.agent or ("" if settings.url else "cli")
    with target.backend() as backend:
        try:
            if what.startswith("run_"):
                undone = backend.undo_run(what, mode=mode, agent=agent)
            else:
                undone = [backend.undo(what, mode=mode, agent=agent, run_id="")]
        except RestoreConflictError as error:
            _show_conflict(error, as_json=as_json)
    if as_json:
        say_json({"undone": undone})
    else:
        _show(undone)


def _show(undone: list[Undone]) -> None:
    if not undone:
        say("Nothing in this run changed a configured system.")
        return
    say_table(_HEADS, [row for one in undone for row in _rows(one)], loud=("conflicts",))
    for one in undone:
        for key in one.conflicts:
            say(f"conflict: {key}")
        for restored in one.systems.values():
            for sentence in restored.irreversible:
                say(f"not undone: {sentence}")


def _rows(one: Undone) -> list[tuple[str, ...]]:
    if not one.systems:
        return [(one.action_id, "", _DONE[one.status], "0", "0", "0", "0", "")]
    return [
        (
            one.action_id,
            name,
            _DONE[restored.status],
            str(restored.restored),
            str(restored.already),
            str(restored.conflicts),
            str(restored.skipped),
            "yes" if restored.verified else "no",
        )
        for name, restored in one.systems.items()
    ]


def _show_conflict(error: RestoreConflictError, *, as_json: bool) -> None:
    if as_json:
        say_json({"error": error.code, "message": str(error), "keys": error.keys})
    else:
        tell(error)
        for key in error.keys:
            say(f"conflict: {key}")
    raise click.exceptions.Exit(FAILED)
