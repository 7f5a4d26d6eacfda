"""How people are sent to an identity provider to log in, and what it says of them when they are back."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from clearance.core.model import Role


class Vouched(Struct, frozen=True, kw_only=True):
    """What an identity provider says of somebody who has just logged in there.

    `email` is one that it has verified, or empty. `roles` and `teams` are None where they are ruled here;
    then `newcomers` are the roles of whom we see for the first time.
    """

    provider: str
    issuer: str
    subject: str
    name: str
    email: str = ""
    roles: tuple[Role, ...] | None = None
    teams: tuple[str, ...] | None = None
    newcomers: tuple[Role, ...] = ()


class Begun(Struct, frozen=True, kw_only=True):
    """A login under way: where the browser goes, and what only we may know until it is back."""

    url: str
    state: str
    nonce: str
    verifier: str


class LoginProvider(Protocol):
    """One configured provider. Both methods ask the network, and block."""

    def begin(self) -> Begun:
        """Raises AuthenticationError (`issuer_unavailable`)."""

    def finish(self, code: str, *, issuer: str, begun: Begun) -> Vouched:
        """`issuer` is what came back beside the code (RFC 9207). Raises AuthenticationError."""
