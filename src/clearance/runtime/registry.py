"""The registry of agents: who is known, and what that adds to whoever acts. Every change is recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from msgspec.structs import asdict, replace

from clearance.core import redact
from clearance.core.model import (
    Actor,
    ActorKind,
    Agent,
    AgentSource,
    AgentStatus,
    Environment,
    Principal,
)
from clearance.errors import ConflictError, NotFoundError, RequestError
from clearance.ports import AgentStore
from clearance.runtime.audit import Audit
from clearance.runtime.mediator import Clock

_NAMES_KEPT = 16_384  # about 1 KB each; a name that is not held costs one read of the store
# Beginnings of the names that people and programs have in records: no agent may pass for one.
PEOPLE = ("person:", "service:", "local:")
CHANGEABLE = frozenset({"owner", "team", "purpose", "environment", "version", "roles"})

_Find = Callable[[str], Agent | None]


class RevokesKeys(Protocol):
    """What the registry needs of the keys when an agent is retired."""

    def revoke_all(self, subject: str, *, by: str) -> object: ...


class Registry:
    """Thread-safe. `known` is asked before every decision: agents are held by name until one changes."""

    def __init__(
        self, store: AgentStore, audit: Audit, *, clock: Clock, keys: RevokesKeys | None = None
    ) -> None:
        """With `keys` an agent's keys end with the agent."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._keys = keys
        # Revision and cache change as one: what a thread reads into an old cache is never asked for again.
        self._held: tuple[int, _Find] = (-1, store.agent)

    def known(self, principal: Principal) -> Principal:
        """The same, with roles, team, owner and status as registered; roles and teams of its chain, too.

        Who acts for a retired agent is as retired as that one.
        """
        find = self._find()
        agent, chain = find(principal.agent), principal.on_behalf_of
        if not chain:
            return principal if agent is None else _described(principal, agent, (), agent.status)
        found = [find(actor.name) if actor.kind is ActorKind.AGENT else None for actor in chain]
        is_retired = any(one is not None and one.status is AgentStatus.RETIRED for one in (agent, *found))
        actors = tuple(map(_as_registered, chain, found))
        status = AgentStatus.RETIRED if is_retired else AgentStatus.ACTIVE
        return _described(principal, agent, actors, status)

    def _find(self) -> _Find:
        revision = self._store.revision()
        held, find = self._held
        if held != revision:
            find = lru_cache(maxsize=_NAMES_KEPT)(self._store.agent)
            self._held = (revision, find)
        return find

    def revision(self) -> int:
        """Another, greater number whenever an agent changed. Raises StoreError."""
        return self._store.revision()

    def seen(self, name: str) -> None:
        """Somebody begins a run under this name: an agent that nobody registered is from now on."""
        if name and not name.startswith(PEOPLE) and self._find()(name) is None:
            self.arrived(name, source=AgentSource.DECLARED, by=name)

    def arrived(
        self,
        name: str,
        *,
        source: AgentSource,
        by: str,
        owner: str = "",
        team: str = "",
        purpose: str = "",
        roles: tuple[str, ...] = (),
    ) -> Agent:
        """Register an agent on its first sight, with the default posture; a known one stays as it is."""
        found = self._find()(name)
        if found is not None:
            return found
        agent = Agent(
            name=name,
            created_at=self._clock(),
            owner=owner,
            team=team,
            purpose=purpose,
            roles=tuple(roles),
            source=source,
        )
        _must_be_an_agents(name)
        if (
            source is not AgentSource.DECLARED
        ):  # that one's first run is in the journal: the same under its name
            self._audit.record("agent.arrive", by=by, target=name, details=_told(agent))
        try:
            self._store.add_agent(agent)
        except ConflictError:  # another thread or process was first
            return self.agent(name)
        return agent

    def agents(self) -> list[Agent]:
        """By name."""
        return self._store.agents()

    def agent(self, name: str) -> Agent:
        """Raises NotFoundError."""
        found = self._store.agent(name)
        if found is None:
            raise NotFoundError("There is no agent of this name.")
        return found

    def active(self, name: str) -> Agent:
        """One that may still be given keys. Raises NotFoundError, ConflictError."""
        return _still_active(self.agent(name))

    def register(self, agent: Agent, *, by: str) -> Agent:
        """Add an agent. Raises ConflictError when the name is taken, RequestError when it is a person's."""
        _must_be_an_agents(agent.name)
        agent = replace(agent, **_clean(asdict(agent)))
        if self._store.agent(agent.name) is not None:
            raise ConflictError("An agent of this name exists already.")
        self._audit.record("agent.register", by=by, target=agent.name, details=_told(agent))
        self._store.add_agent(agent)
        return agent

    def change(self, name: str, *, by: str, **fields: Any) -> Agent:
        """Put new values in `fields` (CHANGEABLE). Raises NotFoundError, RequestError, ConflictError."""
        unknown = set(fields) - CHANGEABLE
        if unknown:
            raise RequestError(f"An agent's {', '.join(sorted(unknown))} cannot be changed.")
        before = self.active(name)
        fields = _clean(fields)
        after = replace(before, **fields)
        changed = {key: value for key, value in _told(after).items() if value != _told(before).get(key)}
        if not changed:
            return before
        self._audit.record("agent.change", by=by, target=name, details=changed)
        return self._store.change_agent(name, lambda now: replace(_still_active(now), **fields))

    def retire(self, name: str, *, by: str) -> Agent:
        """For good, and with it every key of the agent. Retiring twice changes nothing."""
        before = self.agent(name)
        retired = replace(before, status=AgentStatus.RETIRED)
        if retired != before:
            self._audit.record("agent.retire", by=by, target=name)
            retired = self._store.change_agent(name, lambda now: replace(now, status=AgentStatus.RETIRED))
        if self._keys is not None:
            self._keys.revoke_all(name, by=by)
        return retired


def _still_active(agent: Agent) -> Agent:
    if agent.status is AgentStatus.RETIRED:
        raise ConflictError("This agent is retired, for good.")
    return agent


def _described(
    principal: Principal, agent: Agent | None, chain: tuple[Actor, ...], status: AgentStatus
) -> Principal:
    if agent is None:
        return replace(principal, on_behalf_of=chain, status=status)
    return Principal(
        agent=principal.agent,
        roles=_union(principal.roles, agent.roles),
        on_behalf_of=chain,
        proof=principal.proof,
        team=agent.team or principal.team,
        owner=agent.owner or principal.owner,
        status=status,
        bounds=principal.bounds,
    )


def _as_registered(actor: Actor, agent: Agent | None) -> Actor:
    if agent is None:
        return actor
    return Actor(
        name=actor.name,
        kind=actor.kind,
        roles=_union(actor.roles, agent.roles),
        team=agent.team or actor.team,
    )


def _union(came_with: tuple[str, ...], registered: tuple[str, ...]) -> tuple[str, ...]:
    if not came_with or not registered:
        return came_with or registered
    return tuple(dict.fromkeys((*came_with, *registered)))


def _told(agent: Agent) -> dict[str, Any]:
    """What of an agent stands in the administrative record: what is set, in plain values."""
    plain = asdict(agent)
    skipped = ("name", "created_at", "status")
    unset = ("", (), Environment.UNKNOWN)
    return {
        key: list(value) if isinstance(value, tuple) else str(value)
        for key, value in plain.items()
        if key not in skipped and value not in unset
    }


def _clean(fields: dict[str, Any]) -> dict[str, Any]:
    """People write these: what looks like a credential does not get into the store."""
    written = ("owner", "team", "purpose", "version")
    return {key: redact.clean_text(value) if key in written else value for key, value in fields.items()}


def _must_be_an_agents(name: str) -> None:
    """Raises RequestError."""
    if not name or name.startswith(PEOPLE):
        raise RequestError(
            f"An agent's name is not empty and begins with none of {', '.join(PEOPLE)}: people's do.",
            reason="wrong_value",
        )
