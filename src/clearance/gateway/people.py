"""People and services that rule agents, their tokens and sessions. A token's secret is in one answer only."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from clearance.core.model import Credential, Person, PersonSource, Role
from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.wiring import utc_now

PersonName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\w.@+-]+$")]
Text = Annotated[str, Meta(max_length=256)]
Teams = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...], Meta(max_length=100)]
Roles = Annotated[tuple[Role, ...], Meta(max_length=5)]


class NewPerson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source`: local (logs in with `password`), provider (invited by `email`), or service (has tokens)."""

    name: PersonName
    roles: Roles = ()
    teams: Teams = ()
    email: Text = ""
    source: PersonSource = PersonSource.LOCAL
    password: Annotated[str, Meta(max_length=1_024)] = ""


class PersonChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays. `is_active` false deactivates, true lets back in."""

    roles: Roles | None = None
    teams: Teams | None = None
    email: Text | None = None
    is_active: bool | None = None


class NewPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For a local account."""

    password: Annotated[str, Meta(max_length=1_024)]


class PersonBody(Struct, frozen=True, kw_only=True):
    """A person, without anything that proves who they are."""

    name: str
    created_at: datetime
    roles: tuple[Role, ...]
    teams: tuple[str, ...]
    email: str
    source: PersonSource
    is_active: bool


class PeopleBody(Struct, frozen=True):
    """By name."""

    people: list[PersonBody]


class NewToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `expires_days` it ends after 90 days."""

    expires_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None
    label: Text = ""


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the old one still holds."""

    overlap_seconds: Annotated[float, Meta(ge=0, le=2_592_000)] = 86_400.0


class PersonsCredential(Struct, frozen=True, kw_only=True):
    """A token or a session without its secret."""

    id: str
    name: str
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class MadeToken(Struct, frozen=True, kw_only=True):
    """`token` is shown here and never again."""

    token: str
    id: str
    name: str
    expires_at: datetime | None


class TokensBody(Struct, frozen=True):
    """Oldest first."""

    tokens: list[PersonsCredential]


class SessionsBody(Struct, frozen=True):
    """Those that hold now, oldest first."""

    sessions: list[PersonsCredential]


class Ended(Struct, frozen=True):
    """The session that ended."""

    id: str


async def _list(asked: Asked) -> PeopleBody:
    found = await asyncio.to_thread(asked.door.assembly.people.people)
    return PeopleBody([_told(one) for one in found])


async def _add(asked: Asked) -> PersonBody:
    new: NewPerson = asked.body
    person = await asyncio.to_thread(
        asked.door.assembly.people.add,
        new.name,
        by=asked.caller.name,
        roles=new.roles,
        teams=new.teams,
        email=new.email,
        source=new.source,
        password=new.password,
    )
    return _told(person)


async def _change(asked: Asked) -> PersonBody:
    change: PersonChange = asked.body
    people, name, by = asked.door.assembly.people, asked.path["name"], asked.caller.name
    is_switched = change.is_active is not None
    if not is_switched or (change.roles, change.teams, change.email) != (None, None, None):
        person = await asyncio.to_thread(
            people.change, name, by=by, roles=change.roles, teams=change.teams, email=change.email
        )
    if is_switched:  # last, so that nobody comes back with roles that were just taken away
        switch = people.activate if change.is_active else people.deactivate
        person = await asyncio.to_thread(switch, name, by=by)
    return _told(person)


async def _deactivate(asked: Asked) -> PersonBody:
    people = asked.door.assembly.people
    return _told(await asyncio.to_thread(people.deactivate, asked.path["name"], by=asked.caller.name))


async def _set_password(asked: Asked) -> PersonBody:
    people, new = asked.door.assembly.people, asked.body
    name, by = asked.path["name"], asked.caller.name
    return _told(await asyncio.to_thread(people.set_password, name, new.password, by=by))


async def _make_token(asked: Asked) -> MadeToken:
    new: NewToken = asked.body
    text, made = await asyncio.to_thread(
        asked.door.assembly.people.issue_token,
        asked.path["name"],
        by=asked.caller.name,
        expires_at=utc_now() + timedelta(days=new.expires_days) if new.expires_days else None,
        label=new.label,
    )
    return _made(text, made)


async def _rotate(asked: Asked) -> MadeToken:
    rotation: Rotation = asked.body
    text, made = await asyncio.to_thread(
        asked.door.assembly.people.rotate_token,
        asked.path["token_id"],
        by=asked.caller.name,
        overlap_seconds=rotation.overlap_seconds,
    )
    return _made(text, made)


async def _revoke(asked: Asked) -> PersonsCredential:
    people, by = asked.door.assembly.people, asked.caller.name
    return _held(await asyncio.to_thread(people.revoke_token, asked.path["token_id"], by=by))


async def _tokens(asked: Asked) -> TokensBody:
    found = await asyncio.to_thread(asked.door.assembly.people.tokens)
    return TokensBody([_held(one) for one in found])


async def _sessions(asked: Asked) -> SessionsBody:
    found = await asyncio.to_thread(asked.door.assembly.people.sessions)
    return SessionsBody([_held(one) for one in found])


async def _end_session(asked: Asked) -> Ended:
    people, session_id = asked.door.assembly.people, asked.path["session_id"]
    await asyncio.to_thread(people.log_out, session_id, by=asked.caller.name)
    return Ended(session_id)


def _told(person: Person) -> PersonBody:
    return PersonBody(**{name: getattr(person, name) for name in PersonBody.__struct_fields__})


def _held(one: Credential) -> PersonsCredential:
    return PersonsCredential(
        id=one.credential_id,
        name=one.subject,
        label=one.label,
        created_at=one.created_at,
        expires_at=one.expires_at,
        revoked_at=one.revoked_at,
    )


def _made(text: str, made: Credential) -> MadeToken:
    return MadeToken(token=text, id=made.credential_id, name=made.subject, expires_at=made.expires_at)


_ONE = "/v1/people/{name}"
_TOKEN = "/v1/tokens/{token_id}"  # noqa: S105 - a path
ENDPOINTS = (
    Endpoint("GET", "/v1/people", "List people and services", _list, PeopleBody, access=Access.AUDIT),
    Endpoint(
        "POST",
        "/v1/people",
        "Add a person or a service",
        _add,
        PersonBody,
        access=Access.ADMIN,
        body=NewPerson,
        status=201,
    ),
    Endpoint("PATCH", _ONE, "Change a person", _change, PersonBody, access=Access.ADMIN, body=PersonChange),
    Endpoint("DELETE", _ONE, "Deactivate a person, at once", _deactivate, PersonBody, access=Access.ADMIN),
    Endpoint(
        "PUT",
        f"{_ONE}/password",
        "Set a local account's password",
        _set_password,
        PersonBody,
        access=Access.ADMIN,
        body=NewPassword,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/tokens",
        "Make a service token; its secret is shown once",
        _make_token,
        MadeToken,
        access=Access.ADMIN,
        body=NewToken,
        status=201,
    ),
    Endpoint("GET", "/v1/tokens", "List service tokens", _tokens, TokensBody, access=Access.AUDIT),
    Endpoint(
        "POST",
        f"{_TOKEN}/rotate",
        "Make a token's successor; its secret is shown once",
        _rotate,
        MadeToken,
        access=Access.ADMIN,
        body=Rotation,
        status=201,
    ),
    Endpoint(
        "DELETE", _TOKEN, "Revoke a service token, at once", _revoke, PersonsCredential, access=Access.ADMIN
    ),
    Endpoint("GET", "/v1/sessions", "List sessions", _sessions, SessionsBody, access=Access.AUDIT),
    Endpoint(
        "DELETE",
        "/v1/sessions/{session_id}",
        "End a session, at once",
        _end_session,
        Ended,
        access=Access.ADMIN,
    ),
)
