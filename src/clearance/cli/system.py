"""`clearance system`: the real systems of the configuration, and what is guaranteed on each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from clearance.cli.failures import FAILED
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, store_option
from clearance.ports import SystemInfo

F = TypeVar("F", bound=Callable[..., Any])
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


dsn_option: Callable[[F], F] = click.option(
    "--dsn", help="Connect with this instead, as the owner of the tables; default: the system's own."
)


@system.command()
@click.argument("name")
@dsn_option
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role to guard; may be given again.")
@click.option("--undo-role", "undo_roles", multiple=True, metavar="ROLE", help="A role that may restore.")
@json_option
@store_option
@click.pass_obj
def install(
    target: Target, /, name: str, dsn: str | None, *, as_json: bool, **roles: tuple[str, ...]
) -> None:
    """Set up what the guard needs inside the database NAME, once. Again is no harm.

    PostgreSQL: the schema `clearance_guard` and capture triggers on every table. MySQL and MariaDB: the
    database `clearance_guard`. Other kinds need nothing.

    \b
    Example:
      clearance system install crm --dsn postgresql://owner@db/crm --role agent --undo-role undoer
    """
    from clearance.adapters.systems import install_guard

    kind, options = _described(target, name, dsn)
    uncovered = install_guard(kind, options, **roles)
    if as_json:
        say_json({"system": name, "uncovered": uncovered})
        return
    for sentence in uncovered:
        say(f"not covered: {sentence}")
    say(f"{name}: ready")


@system.command()
@click.argument("name")
@dsn_option
@click.confirmation_option("--yes", prompt="Every image goes with it: nothing captured can be undone. Go on?")
@json_option
@store_option
@click.pass_obj
def uninstall(target: Target, name: str, dsn: str | None, *, as_json: bool) -> None:
    """Remove what `install` made in the database NAME, with every image in it.

    \b
    Example:
      clearance system uninstall crm --dsn postgresql://owner@db/crm --yes
    """
    from clearance.adapters.systems import uninstall_guard

    kind, options = _described(target, name, dsn)
    uninstall_guard(kind, options)
    if as_json:
        say_json({"system": name})
    else:
        say(f"{name}: removed")


def _described(target: Target, name: str, dsn: str | None) -> tuple[str, dict[str, Any]]:
    systems = target.settings().systems
    if name not in systems:
        raise click.UsageError(f"No system {name!r} is configured; known: {', '.join(systems) or 'none'}.")
    options = {key: value for key, value in systems[name].items() if key != "kind"}
    if dsn is not None:
        options = {key: value for key, value in options.items() if key != "dsn_env"} | {"dsn": dsn}
    return str(systems[name]["kind"]), options


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
