"""`clearance agent`: the registry of agents, on the store itself."""

from __future__ import annotations

import re
from typing import Any

import click
from msgspec.structs import replace

from clearance.cli import agent_keys, agent_learn
from clearance.cli.agent_keys import say_key, state_of
from clearance.cli.choices import choice_of
from clearance.cli.human_time import minute
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.person_here import local_person
from clearance.cli.target import Target, store_option
from clearance.cli.terminal_text import safe
from clearance.core.model import Agent, AgentStatus, CredentialKind, Environment
from clearance.ports import RunQuery
from clearance.runtime.registry import CHANGEABLE
from clearance.wiring import utc_now

_NAME = re.compile(r"[\w.@:/+-]{1,128}")  # as the HTTP door takes them


def agent_name(value: str) -> str:
    """A name that may stand in records, keys and URLs. Raises BadParameter."""
    if not _NAME.fullmatch(value):
        raise click.BadParameter("a name has 1 to 128 letters, digits or any of . _ @ : / + -")
    return value


@click.group()
def agent() -> None:
    """Register agents, make and revoke their keys, learn their scopes. Works on the store itself.

    \b
    Example:
      clearance agent create billing --owner ann --team payments
    """


for command in (*agent_keys.COMMANDS, agent_learn.learn):
    agent.add_command(command)


def _described(command: Any) -> Any:
    """The options that say what an agent is; one that is left out changes nothing."""
    options = (
        click.option("--owner", help="The person who answers for it."),
        click.option("--team", help="Its team: policies and brakes go by it."),
        click.option("--purpose", help="What the agent is for."),
        click.option("--environment", type=choice_of(Environment), help="Where it works."),
        click.option("--version", help="Which release of it runs."),
        click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role of it; again for more."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@agent.command()
@click.argument("name", type=agent_name)
@_described
@json_option
@store_option
@click.pass_obj
def create(target: Target, /, name: str, *, as_json: bool, **described: Any) -> None:
    """Register an agent and print its key, this once.

    \b
    Example:
      export CLEARANCE_API_KEY=$(clearance agent create billing --team payments)
    """
    by = local_person().name
    with target.store(is_new_fine=True) as store:
        new = replace(Agent(name=name, created_at=utc_now()), **_given(described))
        store.registry.register(new, by=by)
        text, key = store.keys.issue(name, by=by)
    say_key(text, key, as_json=as_json)


@agent.command("list")
@json_option
@store_option
@click.pass_obj
def list_agents(target: Target, *, as_json: bool) -> None:
    """List every agent ever registered or seen, by name.

    \b
    Example:
      clearance agent list
    """
    with target.store() as store:
        agents, keys = store.registry.agents(), store.keys.list(kind=CredentialKind.AGENT_KEY)
    if as_json:
        say_json({"agents": agents})
        return
    valid: dict[str, int] = {}
    for key in keys:
        valid[key.subject] = valid.get(key.subject, 0) + state_of(key).startswith("valid")
    rows = [
        (
            one.name,
            one.status.value,
            one.team,
            one.owner,
            one.source.value,
            str(valid.get(one.name, 0)),
            one.purpose,
        )
        for one in agents
    ]
    if rows:
        say_table(("agent", "status", "team", "owner", "source", "keys", "purpose"), rows)
    else:
        say("No agents.")


@agent.command()
@click.argument("name", type=agent_name)
@json_option
@store_option
@click.pass_obj
def show(target: Target, name: str, *, as_json: bool) -> None:
    """Show one agent: what is registered of it, its keys, and when it last began a run.

    \b
    Example:
      clearance agent show billing
    """
    with target.store() as store:
        found = store.registry.agent(name)
        keys = store.keys.list(kind=CredentialKind.AGENT_KEY, subject=name)
        runs = store.journal.runs(RunQuery(agent=name, limit=1))
    last = runs[0].started_at if runs else None
    if as_json:
        say_json({"agent": found, "keys": [agent_keys.told(key) for key in keys], "last_run_at": last})
        return
    told = {
        "status": found.status.value,
        "source": found.source.value,
        "created": minute(found.created_at),
        "owner": found.owner,
        "team": found.team,
        "roles": ", ".join(found.roles),
        "environment": found.environment.value,
        "version": found.version,
        "purpose": found.purpose,
        "keys": str(sum(state_of(key).startswith("valid") for key in keys)),
        "last run": minute(last),
    }
    say(safe(found.name))
    for head, text in told.items():
        say(f"  {head:<12}{safe(text) or '-'}")


@agent.command()
@click.argument("name", type=agent_name)
@_described
@json_option
@store_option
@click.pass_obj
def change(target: Target, /, name: str, *, as_json: bool, **described: Any) -> None:
    """Change what is registered of an agent. What is not named stays; --role replaces all roles.

    \b
    Example:
      clearance agent change billing --owner bob --version 2.1
    """
    given = _given(described)
    if not given:
        raise click.UsageError(f"name what to change: {', '.join(sorted(CHANGEABLE))}")
    with target.store() as store:
        changed = store.registry.change(name, by=local_person().name, **given)
    if as_json:
        say_json(changed)
    else:
        say(f"Changed {safe(changed.name)}: {', '.join(sorted(given))}.")


@agent.command()
@click.argument("name", type=agent_name)
@json_option
@store_option
@click.pass_obj
def retire(target: Target, name: str, *, as_json: bool) -> None:
    """Retire an agent for good: its keys are revoked, and whatever it asks for is refused.

    \b
    Example:
      clearance agent retire billing
    """
    with target.store() as store:
        retired = store.registry.retire(name, by=local_person().name)
    assert retired.status is AgentStatus.RETIRED
    if as_json:
        say_json(retired)
    else:
        say(f"Retired {safe(retired.name)}; its keys are revoked.")


def _given(described: dict[str, Any]) -> dict[str, Any]:
    """What was said on the command line, as fields of an Agent."""
    given = {key: value for key, value in described.items() if value not in (None, ())}
    if "environment" in given:
        given["environment"] = Environment(given["environment"])
    return given
