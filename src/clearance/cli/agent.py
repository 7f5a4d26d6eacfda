"""`clearance agent`: agents and their keys, on the store itself. A secret is printed once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import click

from clearance.adapters.identity import new_key
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, store_option
from clearance.core.model import Agent, Credential, CredentialKind
from clearance.errors import NotFoundError
from clearance.ports import CredentialStore
from clearance.wiring import utc_now

_NAME = re.compile(r"[\w.@:/+-]{1,128}")  # as the HTTP door takes them
_MOST_DAYS = 3_650


def agent_name(value: str) -> str:
    """A name that may stand in records, keys and URLs. Raises BadParameter."""
    if not _NAME.fullmatch(value):
        raise click.BadParameter("a name has 1 to 128 letters, digits or any of . _ @ : / + -")
    return value


@click.group()
def agent() -> None:
    """Register agents, make and revoke their keys. Works on the store itself.

    \b
    Example:
      clearance agent create billing
    """


_expires = click.option(
    "--expires-days", type=click.IntRange(1, _MOST_DAYS), help="The key ends after so many days."
)


@agent.command()
@click.argument("name", type=agent_name)
@click.option("--purpose", default="", help="What the agent is for.")
@json_option
@store_option
@click.pass_obj
def create(target: Target, name: str, *, purpose: str, as_json: bool) -> None:
    """Register an agent and print its key, this once.

    \b
    Example:
      export CLEARANCE_API_KEY=$(clearance agent create billing)
    """
    with target.store(is_new_fine=True) as store:
        store.state.agents.add_agent(Agent(name=name, purpose=purpose, created_at=utc_now()))
        text, key = _make_key(store.state.credentials, name)
    _say_key(text, key, as_json=as_json)


@agent.command("list")
@json_option
@store_option
@click.pass_obj
def list_agents(target: Target, *, as_json: bool) -> None:
    """List agents by name.

    \b
    Example:
      clearance agent list
    """
    with target.store() as store:
        agents, keys = (
            store.state.agents.agents(),
            store.state.credentials.credentials(CredentialKind.AGENT_KEY),
        )
    if as_json:
        say_json({"agents": agents})
    elif agents:
        rows = [(one.name, _minute(one.created_at), _valid(keys, one.name), one.purpose) for one in agents]
        say_table(("agent", "created (UTC)", "keys", "purpose"), rows)
    else:
        say("No agents.")


@agent.command("key")
@click.argument("name", type=agent_name)
@_expires
@json_option
@store_option
@click.pass_obj
def key(target: Target, name: str, *, expires_days: int | None, as_json: bool) -> None:
    """Make one more key for an agent and print it, this once. A name that is new is registered.

    \b
    Example:
      clearance agent key billing --expires-days 30
    """
    with target.store(is_new_fine=True) as store:
        if store.state.agents.agent(name) is None:
            store.state.agents.add_agent(Agent(name=name, created_at=utc_now()))
            click.echo(f"note: {name} is a new agent", err=True)
        text, made = _make_key(store.state.credentials, name, expires_days=expires_days)
    _say_key(text, made, as_json=as_json)


@agent.command("keys")
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
        if name and store.state.agents.agent(name) is None:
            raise NotFoundError("There is no agent of this name.")
        found = store.state.credentials.credentials(CredentialKind.AGENT_KEY, name)
    if as_json:
        say_json({"keys": [_told(one) for one in found]})
    elif found:
        rows = [(one.credential_id, one.subject, _minute(one.created_at), _state(one)) for one in found]
        say_table(("key id", "agent", "created (UTC)", "state"), rows)
    else:
        say("No keys.")


@agent.command()
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
        store.state.credentials.revoke_credential(key_id, utc_now())
        revoked = store.state.credentials.credential(key_id)
    assert revoked is not None
    if as_json:
        say_json(_told(revoked))
    else:
        say(f"Revoked key {revoked.credential_id} of {revoked.subject}.")


def _make_key(
    credentials: CredentialStore, name: str, *, expires_days: int | None = None
) -> tuple[str, Credential]:
    at = utc_now()
    expires_at = at + timedelta(days=expires_days) if expires_days else None
    text, stored = new_key(name, at=at, expires_at=expires_at)
    credentials.add_credential(stored)
    return text, stored


def _say_key(text: str, made: Credential, *, as_json: bool) -> None:
    """The key alone to stdout, for scripts; what to know about it to stderr."""
    if as_json:
        say_json({"key": text, **_told(made)})
        return
    click.echo(f"note: this key of {made.subject} is shown once; keep it now", err=True)
    say(text)


def _told(key: Credential) -> dict[str, Any]:
    """A key without even the hash of its secret."""
    return {
        "key_id": key.credential_id,
        "agent": key.subject,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _state(key: Credential) -> str:
    if key.revoked_at is not None:
        return f"revoked {_minute(key.revoked_at)}"
    if key.expires_at is None:
        return "valid"
    word = "valid until" if key.expires_at > utc_now() else "expired"
    return f"{word} {_minute(key.expires_at)}"


def _valid(keys: list[Credential], name: str) -> str:
    return str(sum(key.subject == name and _state(key).startswith("valid") for key in keys))


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
