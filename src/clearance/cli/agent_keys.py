"""`clearance agent key|keys|rotate|revoke`: keys of agents, on the store itself. A text is printed once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from clearance.cli.choices import choice_of
from clearance.cli.human_time import minute
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.person_here import local_person
from clearance.cli.target import Target, store_option
from clearance.core.model import Agent, Bounds, Credential, CredentialKind, Operation
from clearance.errors import NotFoundError
from clearance.wiring import Assembly, utc_now

_MOST_DAYS = 3_650
_MOST_HOURS = 24 * 90


@click.command()
@click.argument("name")
@click.option("--expires-days", type=click.IntRange(1, _MOST_DAYS), help="The key ends after so many days.")
@click.option("--tool", "tools", multiple=True, metavar="PATTERN", help="Good for these tools only.")
@click.option(
    "--operation", "operations", multiple=True, type=choice_of(Operation), help="Good for these verbs only."
)
@click.option(
    "--resource", "resources", multiple=True, metavar="PATTERN", help="Good for these resources only."
)
@click.option("--label", default="", help="What the key is for.")
@json_option
@store_option
@click.pass_obj
def key(
    target: Target,
    name: str,
    *,
    expires_days: int | None,
    tools: tuple[str, ...],
    operations: tuple[str, ...],
    resources: tuple[str, ...],
    label: str,
    as_json: bool,
) -> None:
    """Make one more key for an agent and print it, this once. A name that is new is registered.

    In a PATTERN `*` stands for any text. An action outside them is refused, whatever the policies say.

    \b
    Example:
      clearance agent key billing --expires-days 30 --tool 'read_*' --operation read
    """
    from clearance.cli.agent import agent_name

    bounds = Bounds(tools=tools, operations=operations, resources=resources)
    by = local_person().name
    with target.store(is_new_fine=True) as store:
        registered(store, agent_name(name), by=by)
        expires_at = utc_now() + timedelta(days=expires_days) if expires_days else None
        is_bound = bounds != Bounds()
        text, made = store.keys.issue(
            name, by=by, expires_at=expires_at, label=label, bounds=(bounds,) if is_bound else ()
        )
    say_key(text, made, as_json=as_json)


def registered(store: Assembly, name: str, *, by: str) -> None:
    """Raises what the registry says of an agent that may act no more; one that is new is registered."""
    try:
        store.registry.active(name)
    except NotFoundError:
        store.registry.register(Agent(name=name, created_at=utc_now()), by=by)
        click.echo(f"note: {name} is a new agent", err=True)


@click.command()
@click.argument("name", default="")
@json_option
@store_option
@click.pass_obj
def keys(target: Target, name: str, *, as_json: bool) -> None:
    """List keys, of one agent or of all: never their secrets.

    \b
    Example:
      clearance agent keys billing
    """
    with target.store() as store:
        if name:
            store.registry.agent(name)
        found = store.keys.list(kind=CredentialKind.AGENT_KEY, subject=name)
    if as_json:
        say_json({"keys": [told(one) for one in found]})
    elif found:
        rows = [
            (one.credential_id, one.subject, minute(one.created_at), state_of(one), _limits(one), one.label)
            for one in found
        ]
        say_table(("key id", "agent", "created (UTC)", "state", "good for", "label"), rows)
    else:
        say("No keys.")


@click.command()
@click.argument("key_id")
@click.option(
    "--overlap-hours",
    default=24.0,
    show_default=True,
    type=click.FloatRange(0, _MOST_HOURS),
    help="So long the old key still works.",
)
@json_option
@store_option
@click.pass_obj
def rotate(target: Target, key_id: str, *, overlap_hours: float, as_json: bool) -> None:
    """Make a key in the place of another, with the same bounds, and print it, this once.

    \b
    Example:
      clearance agent rotate 4f1c09ab77de --overlap-hours 1
    """
    with target.store() as store:
        text, made = store.keys.rotate(key_id, by=local_person().name, overlap_seconds=overlap_hours * 3_600)
    say_key(text, made, as_json=as_json)


@click.command()
@click.argument("key_id")
@json_option
@store_option
@click.pass_obj
def revoke(target: Target, key_id: str, *, as_json: bool) -> None:
    """Revoke a key, at once and for good.

    \b
    Example:
      clearance agent revoke 4f1c09ab77de
    """
    with target.store() as store:
        revoked = store.keys.revoke(key_id, by=local_person().name)
    if as_json:
        say_json(told(revoked))
    else:
        say(f"Revoked key {revoked.credential_id} of {revoked.subject}.")


COMMANDS = (key, keys, rotate, revoke)


def say_key(text: str, made: Credential, *, as_json: bool) -> None:
    """The key alone to stdout, for scripts; what to know about it to stderr."""
    if as_json:
        say_json({"key": text, **told(made)})
        return
    click.echo(f"note: this key of {made.subject} is shown once; keep it now", err=True)
    say(text)


def told(one: Credential) -> dict[str, Any]:
    """A key without even the hash of its secret."""
    return {
        "key_id": one.credential_id,
        "agent": one.subject,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
        "label": one.label,
        "bounds": one.bounds,
    }


def state_of(one: Credential) -> str:
    """In a word or three."""
    if one.revoked_at is not None:
        return f"revoked {minute(one.revoked_at)}"
    if one.expires_at is None:
        return "valid"
    word = "valid until" if one.expires_at > utc_now() else "expired"
    return f"{word} {minute(one.expires_at)}"


def _limits(one: Credential) -> str:
    parts = [part for bounds in one.bounds for part in (*bounds.tools, *bounds.operations, *bounds.resources)]
    return ", ".join(parts) or "anything"
