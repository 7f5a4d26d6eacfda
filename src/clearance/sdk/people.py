"""Logging in to a server, for the command line: what a person asks of it about themselves."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clearance.sdk.remote import RemoteBackend


class Session(Struct, frozen=True, kw_only=True):
    """`session` is a bearer's text."""

    name: str
    roles: tuple[str, ...]
    session: str = ""


class Me(Struct, frozen=True, kw_only=True):
    """Whom the server takes us for."""

    name: str
    kind: str
    roles: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


class _Providers(Struct, frozen=True):
    providers: list[str]


class PeopleClient(RemoteBackend):
    """Raises what RemoteBackend does."""

    def __enter__(self) -> PeopleClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def log_in(self, name: str, password: str) -> Session:
        """With a local account."""
        return self._post("/v1/login", {"name": name, "password": password}, Session)

    def providers(self) -> list[str]:
        """Where one can log in."""
        return self.ask("GET", "/v1/login", None, _Providers).providers

    def exchange(self, code: str, verifier: str) -> Session:
        """What a browser brought, for a session."""
        return self._post("/v1/login/exchange", {"code": code, "verifier": verifier}, Session)

    def me(self) -> Me:
        """Raises AuthenticationError when the session is over."""
        return self.ask("GET", "/v1/me", None, Me)

    def log_out(self) -> None:
        """End this session."""
        self._post("/v1/logout", {}, dict[str, Any])
