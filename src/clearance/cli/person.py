"""`clearance person`: people and services that rule agents, on the store itself."""

from __future__ import annotations

import click

from clearance.cli.choices import choice_of
from clearance.cli.human_time import minute
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.passwords import new_password, stdin_option
from clearance.cli.person_here import local_person
from clearance.cli.target import Target, store_option
from clearance.core.model import Credential, Person, PersonSource, Role


@click.group()
def person() -> None:
    """Add, change and turn off whoever rules agents. Works on the store itself.

    \b
    Example:
      clearance person add alice --role admin
    """


_roles = click.option(
    "--role", "roles", multiple=True, type=choice_of(Role), help="What they may do; may be given again."
)
_teams = click.option("--team", "teams", multiple=True, help="A team they belong to; may be given again.")
_email = click.option("--email", default=None, metavar="ADDRESS", help="Their address.")


@person.command()
@click.argument("name")
@_roles
@_teams
@_email
@click.option("--invite", is_flag=True, help="They log in at the identity provider, known by --email.")
@click.option("--service", is_flag=True, help="A program: it has tokens, and no password.")
@stdin_option
@json_option
@store_option
@click.pass_obj
def add(
    target: Target,
    name: str,
    *,
    roles: tuple[str, ...],
    teams: tuple[str, ...],
    email: str | None,
    invite: bool,
    service: bool,
    from_stdin: bool,
    as_json: bool,
) -> None:
    """Add a person, and ask for their password; or invite one; or add a service.

    \b
    Examples:
      clearance person add alice --role admin
      clearance person add bob --role approver --team payments --invite --email bob@example.com
      clearance person add deploy --role operator --service
    """
    source = _source(is_invited=invite, is_service=service)
    password = new_password(from_stdin=from_stdin) if source is PersonSource.LOCAL else ""
    with target.store(is_new_fine=True) as store:
        made = store.people.add(
            name,
            by=local_person().name,
            roles=[Role(role) for role in roles],
            teams=teams,
            email=email or "",
            source=source,
            password=password,
        )
    _say(made, "Added", as_json=as_json)


@person.command("list")
@json_option
@store_option
@click.pass_obj
def list_people(target: Target, *, as_json: bool) -> None:
    """List people and services by name.

    \b
    Example:
      clearance person list
    """
    with target.store() as store:
        found = store.people.people()
    if as_json:
        say_json({"people": [_told(one) for one in found]})
    elif found:
        heads = ("name", "roles", "teams", "logs in", "state")
        rows = [
            (one.name, ", ".join(one.roles), ", ".join(one.teams), one.source.value, _state(one))
            for one in found
        ]
        say_table(heads, rows)
    else:
        say("Nobody.")


@person.command()
@click.argument("name")
@_roles
@_teams
@_email
@click.option("--no-roles", is_flag=True, help="Take every role away.")
@json_option
@store_option
@click.pass_obj
def change(
    target: Target,
    name: str,
    *,
    roles: tuple[str, ...],
    teams: tuple[str, ...],
    email: str | None,
    no_roles: bool,
    as_json: bool,
) -> None:
    """Give somebody these roles, teams and address in the place of those before. What is left out stays.

    \b
    Example:
      clearance person change bob --role operator --role auditor
    """
    if no_roles and roles:
        raise click.UsageError("--role and --no-roles exclude each other.")
    with target.store() as store:
        changed = store.people.change(
            name,
            by=local_person().name,
            roles=[Role(role) for role in roles] if roles or no_roles else None,
            teams=teams or None,
            email=email,
        )
    _say(changed, "Changed", as_json=as_json)


@person.command()
@click.argument("name")
@json_option
@store_option
@click.pass_obj
def deactivate(target: Target, name: str, *, as_json: bool) -> None:
    """Turn somebody off: sessions and tokens end at once. The name stays taken.

    \b
    Example:
      clearance person deactivate bob
    """
    with target.store() as store:
        gone = store.people.deactivate(name, by=local_person().name)
    _say(gone, "Deactivated", as_json=as_json)


@person.command()
@click.argument("name")
@json_option
@store_option
@click.pass_obj
def activate(target: Target, name: str, *, as_json: bool) -> None:
    """Let somebody back in: with a new password or login; no old session or token comes back.

    \b
    Example:
      clearance person activate bob
    """
    with target.store() as store:
        back = store.people.activate(name, by=local_person().name)
    _say(back, "Activated", as_json=as_json)


@person.command()
@click.argument("name")
@stdin_option
@json_option
@store_option
@click.pass_obj
def password(target: Target, name: str, *, from_stdin: bool, as_json: bool) -> None:
    """Set a local account's password; their sessions end.

    \b
    Example:
      clearance person password alice
    """
    told = new_password(from_stdin=from_stdin)
    with target.store() as store:
        changed = store.people.set_password(name, told, by=local_person().name)
    _say(changed, "Set the password of", as_json=as_json)


@person.command()
@click.argument("name", default="")
@json_option
@store_option
@click.pass_obj
def sessions(target: Target, name: str, *, as_json: bool) -> None:
    """List sessions that hold now, of one person or of all.

    \b
    Example:
      clearance person sessions alice
    """
    with target.store() as store:
        if name:
            store.people.person(name)
        found = store.people.sessions(name)
    if as_json:
        say_json({"sessions": [_session(one) for one in found]})
    elif found:
        heads = ("session", "person", "logged in (UTC)", "until (UTC)")
        rows = [
            (one.credential_id, one.subject, minute(one.created_at), minute(one.expires_at)) for one in found
        ]
        say_table(heads, rows)
    else:
        say("No sessions.")


def _source(*, is_invited: bool, is_service: bool) -> PersonSource:
    if is_invited and is_service:
        raise click.UsageError("--invite and --service exclude each other.")
    if is_service:
        return PersonSource.SERVICE
    return PersonSource.PROVIDER if is_invited else PersonSource.LOCAL


def _say(one: Person, what: str, *, as_json: bool) -> None:
    if as_json:
        say_json(_told(one))
    else:
        say(f"{what} {one.name}: {', '.join(one.roles) or 'no role'}.")


def _told(one: Person) -> dict[str, object]:
    shown = ("name", "created_at", "roles", "teams", "email", "source", "is_active")
    return {name: getattr(one, name) for name in shown}


def _session(one: Credential) -> dict[str, object]:
    return {
        "id": one.credential_id,
        "name": one.subject,
        "label": one.label,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }


def _state(one: Person) -> str:
    if not one.is_active:
        return "deactivated"
    if one.source is PersonSource.PROVIDER and not one.subject:
        return "invited"
    return "active"
