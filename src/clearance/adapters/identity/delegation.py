"""A delegation beside an agent's own credential: whom it acts for, and within what. Never proves a name."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from clearance.adapters.identity.api_key import found
from clearance.adapters.identity.standing import Standing
from clearance.core.model import MOST_ACTORS, Actor, ActorKind, Credential, CredentialKind, Principal
from clearance.errors import AuthenticationError
from clearance.ports import CredentialStore, PeopleStore


class Delegations:
    """Puts a delegation's chain and bounds onto an agent that has proven itself."""

    def __init__(self, credentials: CredentialStore, people: PeopleStore, agents: Standing) -> None:
        self._credentials = credentials
        self._people = people
        self._agents = agents

    def extended(self, principal: Principal, text: str, at: datetime) -> Principal:
        """Whoever the delegation names acts for its maker and, as before, for whom its own proof names.

        Raises AuthenticationError. Adds no role: a chain never gains.
        """
        stored = found(self._credentials, text, at)
        if stored is None or not self._holds(stored, principal):
            raise AuthenticationError(
                "The delegation is unknown, over, revoked, or for another agent: ask for a new one.",
                reason="delegation_invalid",
            )
        return replace(
            principal,
            on_behalf_of=(*stored.on_behalf_of, *principal.on_behalf_of),
            bounds=(*principal.bounds, *stored.bounds),
        )

    def _holds(self, stored: Credential, principal: Principal) -> bool:
        return (
            stored.kind is CredentialKind.DELEGATION
            and stored.subject == principal.agent
            and 0 < len(stored.on_behalf_of) <= MOST_ACTORS - len(principal.on_behalf_of)
            and not any(map(self._is_gone, stored.on_behalf_of))
        )

    def _is_gone(self, actor: Actor) -> bool:
        """Nobody acts for an agent that is retired, nor for a person whose account is closed."""
        if actor.kind is ActorKind.AGENT:
            return self._agents.is_retired(actor.name)
        person = self._people.person(actor.name)
        return person is not None and not person.is_active
