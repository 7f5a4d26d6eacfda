"""`clearance system`: the real systems of the configuration, and what is guaranteed on each."""

from __future__ import annotations

import click

from clearance.cli.failures import FAILED
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, store_option
from clearance.ports import SystemInfo

_HEADS = ("system", "kind", "environment", "fingerprint")


@click.group()
def system() -> None:
    """Look at the real systems under `systems:` in clearance.yaml.

    \b
    Example:
      clearance system list
    """


@system.command("list")
@json_option
@store_option
@click.pass_obj
def list_systems(target: Target, *, as_json: bool) -> None:
    """Ask each system what it is: its fingerprint, its environment, what is guaranteed there and what is not.

    Exits 1 when one of them cannot be reached.

    \b
    Example:
      clearance system list --json
    """
    with target.store(is_new_fine=True) as assembly:
        found = assembly.recovery.systems()
    if as_json:
        say_json({"systems": [{"name": name, "info": info, "error": error} for name, info, error in found]})
    elif found:
        say_table(_HEADS, [_row(name, info) for name, info, _ in found])
        for name, info, error in found:
            _tell(name, info, error)
    else:
        say("No systems are configured: name them under `systems:` in clearance.yaml.")
    if any(error for _, _, error in found):
        raise click.exceptions.Exit(FAILED)


@system.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="A role whose sessions are guarded; again for more.",
)
@click.option("--undo-role", "undo_roles", multiple=True, metavar="ROLE", help="A role that may restore.")
@json_option
@store_option
@click.pass_obj
def install(
    target: Target, name: str, roles: tuple[str, ...], undo_roles: tuple[str, ...], *, as_json: bool
) -> None:
    """Set up what the guard needs inside the database NAME, once. Again is no harm.

    PostgreSQL: the schema `clearance_guard` and capture triggers on every table. MySQL and MariaDB: the
    database `clearance_guard`. Other kinds need nothing. Connects as the system's configured role.

    \b
    Example:
      clearance system install crm --role agent
    """
    from clearance.adapters.systems import install_guard

    systems = target.settings().systems
    if name not in systems:
        raise click.UsageError(f"No system {name!r} is configured; known: {', '.join(systems) or 'none'}.")
    options = {key: value for key, value in systems[name].items() if key != "kind"}
    uncovered = install_guard(str(systems[name]["kind"]), options, roles=roles, undo_roles=undo_roles)
    if as_json:
        say_json({"system": name, "uncovered": uncovered})
        return
    for sentence in uncovered:
        say(f"not covered: {sentence}")
    say(f"{name}: ready")


def _row(name: str, info: SystemInfo | None) -> tuple[str, ...]:
    if info is None:
        return (name, "", "", "cannot be reached")
    return (name, info.kind, info.environment.value, info.fingerprint)


def _tell(name: str, info: SystemInfo | None, error: str) -> None:
    if info is None:
        say(f"{name}: {error}")
        return
    for sentence in info.can:
        say(f"{name}: {sentence}")
    for sentence in info.cannot:
        say(f"{name}, not guaranteed: {sentence}")
