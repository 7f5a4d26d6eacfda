"""Policies, registry, holds and brakes of one process: the twin of `sqlite/state`. Nothing outlives it."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from clearance.core.model import (
    Agent,
    BreakGlass,
    Credential,
    CredentialKind,
    Grant,
    Hold,
    HoldStatus,
    Person,
    Stop,
    StopKind,
)
from clearance.errors import ConflictError, NotFoundError
from clearance.ports import HoldQuery, Notice, PolicyVersion

_OPEN = (HoldStatus.PENDING, HoldStatus.APPROVED)


class _Store:
    """A lock and a count of changes."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._revision = 0

    def revision(self) -> int:
        return self._revision


class MemoryPolicies(_Store):
    """PolicyStore."""

    def __init__(self) -> None:
        super().__init__()
        self._policies: list[PolicyVersion] = []

    def current(self) -> PolicyVersion | None:
        return next(iter(self.versions(1)), None)

    def revision(self) -> int:
        return len(self._policies)

    def versions(self, limit: int = 50) -> list[PolicyVersion]:
        with self._lock:
            return [_copied(version) for version in self._policies[::-1][: max(limit, 0)]]

    def replace(self, document: dict[str, Any], *, expected: int, by: str, at: datetime) -> PolicyVersion:
        with self._lock:
            newest = len(self._policies)
            if newest != expected:
                raise ConflictError(
                    f"The policies are at version {newest}, not {expected}: read them anew and try again."
                )
            self._policies.append(_copied(PolicyVersion(number=newest + 1, at=at, by=by, document=document)))
            return _copied(self._policies[-1])


class MemoryAgents(_Store):
    """AgentStore."""

    def __init__(self) -> None:
        super().__init__()
        self._agents: dict[str, Agent] = {}

    def agents(self) -> list[Agent]:
        with self._lock:
            return sorted(self._agents.values(), key=lambda agent: agent.name)

    def agent(self, name: str) -> Agent | None:
        return self._agents.get(name)

    def add_agent(self, agent: Agent) -> None:
        with self._lock:
            if agent.name in self._agents:
                raise ConflictError("An agent of this name exists already.")
            self._agents[agent.name] = agent
            self._revision += 1

    def replace_agent(self, agent: Agent) -> None:
        with self._lock:
            if agent.name not in self._agents:
                raise NotFoundError("There is no agent of this name.")
            self._agents[agent.name] = agent
            self._revision += 1


class MemoryCredentials(_Store):
    """CredentialStore."""

    def __init__(self) -> None:
        super().__init__()
        self._credentials: dict[str, Credential] = {}
        self._used: dict[tuple[str, str], datetime] = {}

    def credentials(self, kind: CredentialKind | None = None, subject: str = "") -> list[Credential]:
        with self._lock:
            kept = [
                one
                for one in self._credentials.values()
                if kind in (None, one.kind) and subject in ("", one.subject)
            ]
        return sorted(kept, key=lambda one: (one.created_at, one.credential_id))

    def credential(self, credential_id: str) -> Credential | None:
        return self._credentials.get(credential_id)

    def add_credential(self, credential: Credential) -> None:
        with self._lock:
            if credential.credential_id in self._credentials:
                raise ConflictError("A credential of this id exists already.")
            self._credentials[credential.credential_id] = credential
            self._revision += 1

    def revoke_credential(self, credential_id: str, at: datetime) -> None:
        with self._lock:
            one = self._known(credential_id)
            self._credentials[credential_id] = replace(one, revoked_at=one.revoked_at or at)
            self._revision += 1

    def expire_credential(self, credential_id: str, at: datetime) -> None:
        with self._lock:
            one = self._known(credential_id)
            ends = at if one.expires_at is None else min(one.expires_at, at)
            self._credentials[credential_id] = replace(one, expires_at=ends)
            self._revision += 1

    def use_once(self, issuer: str, token_id: str, *, until: datetime, at: datetime) -> bool:
        with self._lock:
            self._used = {key: ends for key, ends in self._used.items() if ends > at}
            return self._used.setdefault((issuer, token_id), until) is until

    def _known(self, credential_id: str) -> Credential:
        found = self._credentials.get(credential_id)
        if found is None:
            raise NotFoundError("There is no key of this id.")
        return found


class MemoryPeople(_Store):
    """PeopleStore."""

    def __init__(self) -> None:
        super().__init__()
        self._people: dict[str, Person] = {}

    def people(self) -> list[Person]:
        with self._lock:
            return sorted(self._people.values(), key=lambda person: person.name)

    def person(self, name: str) -> Person | None:
        return self._people.get(name)

    def person_of(self, issuer: str, subject: str) -> Person | None:
        with self._lock:
            found = (one for one in self._people.values() if (one.issuer, one.subject) == (issuer, subject))
            return next(found, None) if issuer else None

    def add_person(self, person: Person) -> None:
        with self._lock:
            if person.name in self._people or self.person_of(person.issuer, person.subject) is not None:
                raise ConflictError("A person of this name, or of this identity, exists already.")
            self._people[person.name] = person
            self._revision += 1

    def replace_person(self, person: Person) -> None:
        with self._lock:
            if person.name not in self._people:
                raise NotFoundError("There is no person of this name.")
            self._people[person.name] = person
            self._revision += 1


class MemoryHolds(_Store):
    """HoldStore."""

    def __init__(self) -> None:
        super().__init__()
        self._holds: dict[str, Hold] = {}

    def add_hold(self, hold: Hold) -> None:
        with self._lock:
            if hold.hold_id in self._holds:
                raise ConflictError("A hold of this id exists already.")
            self._holds[hold.hold_id] = hold
            self._revision += 1

    def hold(self, hold_id: str) -> Hold | None:
        return self._holds.get(hold_id)

    def holds(self, query: HoldQuery) -> list[Hold]:
        with self._lock:
            found = [
                hold
                for hold in self._holds.values()
                if query.status in (None, hold.status)
                and query.agent in ("", hold.agent)
                and query.run_id in ("", hold.run_id)
                and (query.before is None or hold.created_at < query.before)
            ]
        found.sort(key=lambda hold: (hold.created_at, hold.hold_id), reverse=True)
        return found[: max(query.limit, 0)]

    def open_hold(self, agent: str, run_id: str, call_hash: str) -> Hold | None:
        for hold in self.holds(HoldQuery(agent=agent, run_id=run_id, limit=len(self._holds))):
            if hold.is_open and hold.call_hash == call_hash:
                return hold
        return None

    def overdue_holds(self, at: datetime, *, limit: int = 200) -> list[Hold]:
        with self._lock:
            found = [hold for hold in self._holds.values() if hold.is_open and hold.expires_at <= at]
        return sorted(found, key=lambda hold: hold.expires_at)[:limit]

    def swap_hold(self, hold: Hold) -> bool:
        with self._lock:
            stored = self._holds.get(hold.hold_id)
            if stored is None or stored.version != hold.version - 1:
                return False
            self._holds[hold.hold_id] = hold
            self._revision += 1
            return True


class MemoryGrants(_Store):
    """GrantStore."""

    def __init__(self) -> None:
        super().__init__()
        self._grants: dict[str, Grant] = {}

    def add_grant(self, grant: Grant) -> None:
        with self._lock:
            if grant.grant_id in self._grants:
                raise ConflictError("A grant of this id exists already.")
            self._grants[grant.grant_id] = grant
            self._revision += 1

    def grant(self, grant_id: str) -> Grant | None:
        return self._grants.get(grant_id)

    def grants(self, *, agent: str = "", valid_at: datetime | None = None, limit: int = 1_000) -> list[Grant]:
        with self._lock:
            found = [
                grant
                for grant in self._grants.values()
                if agent in ("", grant.agent) and (valid_at is None or grant.is_valid(valid_at))
            ]
        found.sort(key=lambda grant: (grant.created_at, grant.grant_id), reverse=True)
        return found[: max(limit, 0)]

    def matching_grants(self, agent: str, tool: str, at: datetime) -> list[Grant]:
        found = self.grants(agent=agent, valid_at=at, limit=len(self._grants))
        return [grant for grant in reversed(found) if grant.tool == tool]

    def use_grants(self, grant_ids: tuple[str, ...], at: datetime) -> bool:
        with self._lock:
            found = [self._grants.get(grant_id) for grant_id in grant_ids]
            if not all(grant is not None and grant.is_valid(at) for grant in found):
                return False
            for grant in found:
                assert grant is not None
                self._grants[grant.grant_id] = replace(grant, used=grant.used + 1)
            return True

    def revoke_grant(self, grant_id: str, *, by: str, at: datetime) -> Grant:
        with self._lock:
            grant = self._grants.get(grant_id)
            if grant is None:
                raise NotFoundError("There is no grant of this id.")
            if grant.revoked_at is None:
                self._grants[grant_id] = replace(grant, revoked_at=at, revoked_by=by)
                self._revision += 1
            return self._grants[grant_id]


class MemoryBrakes(_Store):
    """BrakeStore."""

    def __init__(self) -> None:
        super().__init__()
        self._stops: dict[tuple[StopKind, str], Stop] = {}
        self._glasses: dict[str, BreakGlass] = {}

    def stops(self) -> list[Stop]:
        with self._lock:
            return [self._stops[key] for key in sorted(self._stops)]

    def set_stop(self, stop: Stop) -> None:
        with self._lock:
            self._stops[stop.kind, stop.name] = stop
            self._revision += 1

    def lift_stop(self, kind: StopKind, name: str) -> Stop:
        with self._lock:
            if (kind, name) not in self._stops:
                raise NotFoundError("There is no such stop.")
            self._revision += 1
            return self._stops.pop((kind, name))

    def glasses(self, *, open_at: datetime | None = None) -> list[BreakGlass]:
        with self._lock:
            found = [one for one in self._glasses.values() if open_at is None or _is_open(one, open_at)]
        return sorted(found, key=lambda glass: (glass.at, glass.glass_id), reverse=True)

    def add_glass(self, glass: BreakGlass) -> None:
        with self._lock:
            if glass.glass_id in self._glasses:
                raise ConflictError("An emergency access of this id exists already.")
            self._glasses[glass.glass_id] = glass
            self._revision += 1

    def end_glass(self, glass_id: str, at: datetime) -> BreakGlass:
        with self._lock:
            glass = self._glasses.get(glass_id)
            if glass is None:
                raise NotFoundError("There is no emergency access of this id.")
            self._glasses[glass_id] = replace(glass, ended_at=glass.ended_at or at)
            self._revision += 1
            return self._glasses[glass_id]


class MemoryOutbox(_Store):
    """Outbox."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[tuple[str, str], tuple[Notice, int, datetime | None]] = {}

    def add_notice(self, notice: Notice, *, to: str) -> None:
        with self._lock:
            self._waiting[notice.notice_id, to] = (notice, 0, notice.at)

    def due_notices(self, at: datetime, *, limit: int = 100) -> list[tuple[str, int, Notice]]:
        with self._lock:
            found = [
                (again, to, attempts, notice)
                for (_, to), (notice, attempts, again) in self._waiting.items()
                if again is not None and again <= at
            ]
        found.sort(key=lambda one: (one[0], one[3].notice_id))
        return [(to, attempts, notice) for _, to, attempts, notice in found[:limit]]

    def notice_sent(self, notice_id: str, *, to: str) -> None:
        with self._lock:
            self._waiting.pop((notice_id, to), None)

    def notice_failed(self, notice_id: str, *, to: str, again_at: datetime | None) -> None:
        with self._lock:
            if (notice_id, to) in self._waiting:
                notice, attempts, _ = self._waiting[notice_id, to]
                self._waiting[notice_id, to] = (notice, attempts + 1, again_at)


class MemoryState:
    """Every store but the journal, of one process."""

    def __init__(self) -> None:
        self.policies = MemoryPolicies()
        self.agents = MemoryAgents()
        self.credentials = MemoryCredentials()
        self.people = MemoryPeople()
        self.holds = MemoryHolds()
        self.grants = MemoryGrants()
        self.brakes = MemoryBrakes()
        self.outbox = MemoryOutbox()

    def close(self) -> None:
        """Nothing outlives the process."""


def _is_open(glass: BreakGlass, at: datetime) -> bool:
    return at < (glass.until if glass.ended_at is None else min(glass.until, glass.ended_at))


def _copied(version: PolicyVersion) -> PolicyVersion:
    """What a file would give back: no caller shares a document with the store."""
    return replace(version, document=msgspec.json.decode(msgspec.json.encode(version.document)))
