"""Who is known: agents, people, and what they prove themselves with. Never a secret, only its hash."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from clearance.core.model.principal import Actor, AgentStatus, Bounds
from clearance.core.model.resource import Environment
from clearance.core.model.roles import Role


class AgentSource(StrEnum):
    """How an agent came into the registry."""

    REGISTERED = "registered"  # by a person
    DECLARED = "declared"  # seen acting under a name that its own process gave
    PROVIDER = "provider"  # just in time, from a token of an identity provider


class Agent(Struct, frozen=True, kw_only=True):
    """A non-human principal. `owner` names the person who answers for it; a name is for good."""

    name: str
    created_at: datetime
    owner: str = ""
    team: str = ""
    purpose: str = ""
    environment: Environment = Environment.UNKNOWN
    version: str = ""
    roles: tuple[str, ...] = ()
    status: AgentStatus = AgentStatus.ACTIVE
    source: AgentSource = AgentSource.REGISTERED


class PersonSource(StrEnum):
    """LOCAL has a password here; PROVIDER logs in there; SERVICE is a program, with tokens only."""

    LOCAL = "local"
    PROVIDER = "provider"
    SERVICE = "service"


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who rules agents. `issuer` and `subject` are the identity provider's, where it vouches."""

    name: str
    created_at: datetime
    roles: tuple[Role, ...] = ()
    teams: tuple[str, ...] = ()
    email: str = ""
    source: PersonSource = PersonSource.LOCAL
    issuer: str = ""
    subject: str = ""
    password_hash: str = ""  # argon2id, in its own encoded form
    is_active: bool = True


class CredentialKind(StrEnum):
    """What a credential is for; its text begins with the prefix of its kind."""

    AGENT_KEY = "agent_key"
    DELEGATION = "delegation"
    SERVICE_TOKEN = "service_token"  # noqa: S105 - a name
    SESSION = "session"


PREFIX_OF = {
    CredentialKind.AGENT_KEY: "clr",
    CredentialKind.DELEGATION: "cld",
    CredentialKind.SERVICE_TOKEN: "clt",
    CredentialKind.SESSION: "cls",
}


class Credential(Struct, frozen=True, kw_only=True):
    """A credential as kept: never the secret, only its SHA-256 in hex. Its text is `<prefix>_<id>_<secret>`.

    `subject` is the agent (key), the agent that it was issued to (delegation) or the person (token, session).
    `on_behalf_of` is a delegation's chain, its maker first; `bounds` are those of the key and of its chain.
    """

    credential_id: str
    kind: CredentialKind
    subject: str
    secret_hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    label: str = ""
    bounds: tuple[Bounds, ...] = ()
    on_behalf_of: tuple[Actor, ...] = ()

    def is_valid(self, at: datetime) -> bool:
        """Whether it proves anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)
