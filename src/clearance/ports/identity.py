"""Who is known, and how somebody proves who they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from clearance.core.model import Agent, Credential, CredentialKind, Person, Principal


class AgentStore(Protocol):
    """The registry of agents. Finding one by name costs the same with ten and with ten thousand."""

    def revision(self) -> int:
        """Grows with every change of any agent, by any process. Cheap: asked before every decision."""

    def agents(self) -> list[Agent]:
        """By name."""

    def agent(self, name: str) -> Agent | None: ...

    def add_agent(self, agent: Agent) -> None:
        """Raises ConflictError when the name is taken."""

    def replace_agent(self, agent: Agent) -> None:
        """Put a new state in the place of the one of that name. Raises NotFoundError."""

    def change_agent(self, name: str, change: Callable[[Agent], Agent]) -> Agent:
        """Put what `change` makes of the newest state in its place; what is kept. Raises NotFoundError.

        Atomic between processes. `change` is quick, asks no store, keeps the name; what it raises changes
        nothing.
        """


class CredentialStore(Protocol):
    """Keys, delegations, tokens and sessions: only ever their hashes."""

    def revision(self) -> int:
        """Grows with every change of any credential, by any process. Cheap."""

    def credentials(self, kind: CredentialKind | None = None, subject: str = "") -> list[Credential]:
        """Those of a kind, of a subject, of both or all; oldest first."""

    def credential(self, credential_id: str) -> Credential | None: ...

    def add_credential(self, credential: Credential) -> None:
        """Raises ConflictError when the id is taken."""

    def revoke_credential(self, credential_id: str, at: datetime) -> None:
        """At once and for good. Raises NotFoundError. Revoking twice keeps the first time."""

    def expire_credential(self, credential_id: str, at: datetime) -> None:
        """Let it end at that time, if it does not end before. Raises NotFoundError."""

    def use_once(self, issuer: str, token_id: str, *, until: datetime, at: datetime) -> bool:
        """Whether a token of this id is seen for the first time, in any process. Remembered until `until`."""


class PeopleStore(Protocol):
    """People and services that rule agents."""

    def revision(self) -> int:
        """Grows with every change of any person, by any process. Cheap."""

    def people(self) -> list[Person]:
        """By name."""

    def person(self, name: str) -> Person | None: ...

    def person_of(self, issuer: str, subject: str) -> Person | None:
        """The one whom an identity provider calls that."""

    def add_person(self, person: Person) -> None:
        """Raises ConflictError when the name, or issuer and subject, are taken."""

    def replace_person(self, person: Person) -> None:
        """Put a new state in the place of the one of that name. Raises NotFoundError, ConflictError."""

    def change_person(self, name: str, change: Callable[[Person], Person]) -> Person:
        """Put what `change` makes of the newest state in its place; what is kept.

        As `AgentStore.change_agent`. Raises NotFoundError, and ConflictError for the identity of another.
        """


class Presented(Struct, frozen=True, kw_only=True):
    """What came with one request to prove who asks. Never logged, never stored.

    `credential` is the bearer's text; `delegation` a second one, made by whoever called; `client_certificate`
    what a trusted proxy verified (`x-forwarded-client-cert`), with `peer`, the address it came from.
    """

    credential: str = ""
    delegation: str = ""
    client_certificate: str = ""
    peer: str = ""


class Identity(Protocol):
    """Credentials in; an agent or a person out. One for each kind of credential; doors see them as one."""

    def identify(self, presented: Presented, at: datetime) -> Principal | Person | None:
        """None: not a credential of this kind. Raises AuthenticationError. May ask the network, and block."""

    def identify_known(self, presented: Presented, at: datetime) -> Principal | Person | None:
        """The same where nothing has to be fetched; None where something has, or it is another kind.

        Never blocks for longer than one read of the store, so that an event loop may call it.
        """
