"""Logins under way at an identity provider: each bound to one browser, good once, over after ten minutes."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from clearance.core.model import Person
from clearance.errors import AuthenticationError, NotFoundError, RequestError
from clearance.ports import Begun, LoginProvider, Vouched
from clearance.runtime.mediator import Clock
from clearance.runtime.people import People
from clearance.runtime.recent import Recent

_MOST = 10_000
_MINUTES = 10
_CODE_SECONDS = 60
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Onward(Struct, frozen=True, kw_only=True):
    """Where a browser goes once it is logged in: a path here, or a command line that waits on loopback."""

    path: str = ""
    loopback_port: int = 0
    challenge: str = ""


class Landed(Struct, frozen=True, kw_only=True):
    """A login that is over: a session for the browser, or a code for the command line, and where to go."""

    person: Person | None = None
    session: str = ""
    url: str = ""


class _Flow(Struct, frozen=True, kw_only=True):
    provider: str
    begun: Begun
    binding: str
    onward: Onward
    ends: datetime


class _Code(Struct, frozen=True, kw_only=True):
    vouched: Vouched
    challenge: str
    ends: datetime


class Logins:
    """Thread-safe. Kept by this process only: a browser comes back to the one that it left from."""

    def __init__(self, providers: Mapping[str, LoginProvider], people: People, *, clock: Clock) -> None:
        self._providers = dict(providers)
        self._people = people
        self._clock = clock
        self._flows: Recent[_Flow] = Recent(_MOST)
        self._codes: Recent[_Code] = Recent(_MOST)

    def providers(self) -> list[str]:
        """By name."""
        return sorted(self._providers)

    def begin(self, provider: str, onward: Onward) -> tuple[str, str]:
        """Where to send the browser, and the secret that it keeps until it is back.

        Raises NotFoundError, RequestError for a place that is not here, AuthenticationError.
        """
        _check(onward)
        begun = self._provider(provider).begin()
        binding = secrets.token_urlsafe(32)
        ends = self._clock() + timedelta(minutes=_MINUTES)
        flow = _Flow(provider=provider, begun=begun, binding=binding, onward=onward, ends=ends)
        self._flows.put(begun.state, flow)
        return begun.url, binding

    def finish(
        self, provider: str, *, state: str, code: str, issuer: str, binding: str, peer: str = ""
    ) -> Landed:
        """Whatever comes of it, the state is used up. Raises AuthenticationError."""
        flow = self._flows.pop(state)
        if flow is None or flow.provider != provider or self._clock() >= flow.ends:
            raise _invalid()
        if not hmac.compare_digest(flow.binding.encode(), binding.encode()) or not code:
            raise _invalid()
        told = self._provider(provider).finish(code, issuer=issuer, begun=flow.begun)
        if flow.onward.loopback_port:
            return self._code_for(told, flow.onward)
        session, person = self._people.log_in_vouched(told, peer=peer)
        return Landed(person=person, session=session, url=flow.onward.path)

    def exchange(self, code: str, verifier: str, *, peer: str = "") -> tuple[str, Person]:
        """A session for the command line that began the login. Raises AuthenticationError."""
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        found = self._codes.pop(code)
        if found is None or self._clock() >= found.ends:
            raise _invalid()
        if not hmac.compare_digest(create_s256_code_challenge(verifier), found.challenge):
            raise _invalid()
        return self._people.log_in_vouched(found.vouched, peer=peer)

    def _provider(self, name: str) -> LoginProvider:
        found = self._providers.get(name)
        if found is None:
            raise NotFoundError("There is no login of this name.")
        return found

    def _code_for(self, told: Vouched, onward: Onward) -> Landed:
        code = secrets.token_urlsafe(32)
        ends = self._clock() + timedelta(seconds=_CODE_SECONDS)
        self._codes.put(code, _Code(vouched=told, challenge=onward.challenge, ends=ends))
        return Landed(url=f"http://127.0.0.1:{onward.loopback_port}/?code={code}")


def _check(onward: Onward) -> None:
    """Raises RequestError. Only a path of this server, or loopback with a challenge, is a place to go."""
    if onward.path and not _PATH.fullmatch(onward.path):
        raise RequestError("`next` is a path of this server.", reason="wrong_value")
    if bool(onward.loopback_port) != bool(onward.challenge) or (onward.loopback_port and onward.path):
        raise RequestError("A loopback port comes with a challenge, without `next`.", reason="wrong_value")
    if onward.challenge and not _CHALLENGE.fullmatch(onward.challenge):
        raise RequestError("`challenge` is an S256 code challenge (RFC 7636).", reason="wrong_value")


def _invalid() -> AuthenticationError:
    message = "The login was not begun here, or was ended already; begin it anew."
    return AuthenticationError(message, reason="login_invalid")
