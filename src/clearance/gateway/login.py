"""Logging in and out: with a password, or at a provider. Cookies for browsers, texts for others."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from msgspec import Meta, Struct

from clearance.core.model import ActorKind, Person, PersonSource, Role
from clearance.errors import AuthenticationError, ForbiddenError, RequestError
from clearance.gateway import browser
from clearance.gateway.endpoint import Access, Asked, Endpoint, Reply
from clearance.runtime.logins import Onward
from clearance.runtime.tokens import SESSION_HOURS

_LOGIN_SECONDS = 600
_LOGIN_PATH = "/v1/login"
_ANEW = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


class Login(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `cookie` the session is set as a cookie and is in no answer: for pages of this server."""

    name: Annotated[str, Meta(max_length=1_024)]
    password: Annotated[str, Meta(max_length=4_096)]
    cookie: bool = False


class LoggedIn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`session` is a bearer's text, shown here and never again; absent where a cookie holds it."""

    name: str
    roles: tuple[Role, ...]
    session: str = ""


class LoggedOut(Struct, frozen=True):
    """Whose session ended."""

    name: str


class Me(Struct, frozen=True, kw_only=True):
    """Whose credential this is."""

    name: str
    kind: ActorKind
    roles: tuple[str, ...]
    teams: tuple[str, ...] = ()


class Start(Struct, frozen=True, kw_only=True):
    """Where to go on: `next` here, or a command line's port on loopback with its S256 challenge."""

    next: Annotated[str, Meta(max_length=2_048)] = ""
    loopback_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    challenge: Annotated[str, Meta(max_length=128)] = ""


class Returned(Struct, frozen=True, kw_only=True):
    """What the provider sends the browser back with."""

    state: str = ""
    code: str = ""
    iss: str = ""
    error: str = ""
    error_description: str = ""
    session_state: str = ""
    scope: str = ""


class Exchange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code from the loopback redirect, and what its challenge was made of (RFC 7636)."""

    code: Annotated[str, Meta(max_length=256)]
    verifier: Annotated[str, Meta(max_length=256)]


class Onwards(Struct, frozen=True):
    """Where the browser is sent."""

    location: str


class Providers(Struct, frozen=True):
    """By name; each begins at `/v1/login/{provider}`."""

    providers: list[str]


async def _log_in(asked: Asked) -> LoggedIn | Reply:
    login: Login = asked.body
    if browser.is_foreign(asked.scope):
        raise ForbiddenError("Another site's page cannot log in here.")
    people = asked.door.assembly.people
    async with asked.door.logging_in:
        text, person = await asyncio.to_thread(people.log_in, login.name, login.password, peer=asked.peer)
    if not login.cookie:
        return Reply(LoggedIn(name=person.name, roles=person.roles, session=text), headers=_ANEW)
    return _with_cookie(asked, person, text)


async def _begin(asked: Asked) -> Reply:
    start: Start = asked.query
    onward = Onward(path=start.next, loopback_port=start.loopback_port, challenge=start.challenge)
    logins = asked.door.assembly.logins
    url, binding = await asyncio.to_thread(logins.begin, asked.path["provider"], onward)
    kept = browser.set_cookie(
        browser.LOGIN, binding, path=_LOGIN_PATH, seconds=_LOGIN_SECONDS, secure=_secure(asked)
    )
    return Reply(Onwards(url), headers={**_ANEW, "location": url}, cookies=(kept,))


async def _finish(asked: Asked) -> Reply:
    told: Returned = asked.query
    if told.error:
        raise AuthenticationError("The identity provider refused the login.", reason="login_invalid")
    binding = browser.cookie(browser.header(asked.scope, b"cookie"), browser.LOGIN)
    landed = await asyncio.to_thread(
        asked.door.assembly.logins.finish,
        asked.path["provider"],
        state=told.state,
        code=told.code,
        issuer=told.iss,
        binding=binding,
        peer=asked.peer,
    )
    over = browser.set_cookie(browser.LOGIN, "", path=_LOGIN_PATH, seconds=0, secure=_secure(asked))
    if landed.person is None:
        return Reply(Onwards(landed.url), 303, headers={**_ANEW, "location": landed.url}, cookies=(over,))
    return _with_cookie(asked, landed.person, landed.session, url=landed.url, more=(over,))


async def _exchange(asked: Asked) -> Reply:
    given: Exchange = asked.body
    logins = asked.door.assembly.logins
    text, person = await asyncio.to_thread(logins.exchange, given.code, given.verifier, peer=asked.peer)
    return Reply(LoggedIn(name=person.name, roles=person.roles, session=text), headers=_ANEW)


async def _log_out(asked: Asked) -> Reply:
    prefix, _, rest = asked.credential.partition("_")
    if prefix != "cls" or asked.caller.person is None:
        raise RequestError("Only a session is logged out; revoke a token instead.", reason="wrong_value")
    people, session_id = asked.door.assembly.people, rest.partition("_")[0]
    await asyncio.to_thread(people.log_out, session_id, by=asked.caller.name)
    over = browser.set_cookie(browser.SESSION, "", path="/", seconds=0, secure=_secure(asked))
    return Reply(LoggedOut(asked.caller.person.name), cookies=(over,))


async def _me(asked: Asked) -> Me:
    principal, person = asked.caller.principal, asked.caller.person
    if person is None:
        teams = (principal.team,) if principal.team else ()
        return Me(name=principal.agent, kind=ActorKind.AGENT, roles=principal.roles, teams=teams)
    kind = ActorKind.SERVICE if person.source is PersonSource.SERVICE else ActorKind.PERSON
    roles = tuple(role.value for role in person.roles)
    return Me(name=person.name, kind=kind, roles=roles, teams=person.teams)


async def _providers(asked: Asked) -> Providers:
    return Providers(asked.door.assembly.logins.providers())


def _with_cookie(
    asked: Asked, person: Person, text: str, *, url: str = "", more: tuple[tuple[str, str], ...] = ()
) -> Reply:
    """Logged in, with a session that is new: whatever the browser brought before is not taken over."""
    kept = browser.set_cookie(
        browser.SESSION, text, path="/", seconds=SESSION_HOURS * 3_600, secure=_secure(asked)
    )
    told: Any = LoggedIn(name=person.name, roles=person.roles)
    headers = {**_ANEW, "location": url} if url else _ANEW
    return Reply(told, 303 if url else 200, headers=headers, cookies=(kept, *more))


def _secure(asked: Asked) -> str:
    """A provider's `redirect_uri` tells what the browser sees, where a proxy ends https before us."""
    given = asked.door.assembly.settings.login
    return browser.secure_flag(asked.scope, str(given[0].get("redirect_uri", "")) if given else "")


ENDPOINTS = (
    Endpoint("GET", "/v1/me", "Say whose credential this is", _me, Me, access=Access.ANYONE),
    Endpoint(
        "POST", "/v1/login", "Log in with a password", _log_in, LoggedIn, access=Access.PUBLIC, body=Login
    ),
    Endpoint("GET", "/v1/login", "List providers to log in at", _providers, Providers, access=Access.PUBLIC),
    Endpoint(
        "POST",
        "/v1/login/exchange",
        "Exchange a command line's code for a session",
        _exchange,
        LoggedIn,
        access=Access.PUBLIC,
        body=Exchange,
    ),
    Endpoint(
        "GET",
        "/v1/login/{provider}",
        "Log in at a provider",
        _begin,
        Onwards,
        access=Access.PUBLIC,
        query=Start,
        status=303,
    ),
    Endpoint(
        "GET",
        "/v1/login/{provider}/callback",
        "Come back from a provider",
        _finish,
        LoggedIn,
        access=Access.PUBLIC,
        query=Returned,
    ),
    Endpoint("POST", "/v1/logout", "End this session", _log_out, LoggedOut, access=Access.PEOPLE),
)
