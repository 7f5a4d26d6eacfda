"""The one place where adapters are chosen. Decides nothing else; doors are built on what it returns."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clearance.adapters.approvals import open_notifiers
from clearance.adapters.identity import Passwords, new_key, open_logins, proofs
from clearance.adapters.store import MemoryJournal, MemoryState, SqliteJournal, SqliteState
from clearance.adapters.systems import open_session, opener, openers, own_directory
from clearance.config import Settings, default_policies, read_policy_files
from clearance.core.model import Record
from clearance.errors import ConflictError
from clearance.ports import Identity, Journal, Session, State
from clearance.runtime.asking import asking
from clearance.runtime.audit import Audit
from clearance.runtime.brake import Brake
from clearance.runtime.breakers import Breakers
from clearance.runtime.control_point import ControlPoint
from clearance.runtime.grants import Grants
from clearance.runtime.holds import Holds
from clearance.runtime.identities import Identities
from clearance.runtime.keys import Keys
from clearance.runtime.logins import Logins
from clearance.runtime.names import new_id
from clearance.runtime.notices import Notices
from clearance.runtime.people import People
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.quarantine import brake_of
from clearance.runtime.recovery import Recovery
from clearance.runtime.registry import Registry
from clearance.runtime.sweep import close_left_behind
from clearance.runtime.systems import Systems
from clearance.runtime.tokens import Tokens

MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything a door needs. `closed` are the actions that recovery closed as unknown at the start."""

    settings: Settings
    control_point: ControlPoint
    recovery: Recovery
    audit: Audit
    holds: Holds
    grants: Grants
    systems: Systems
    journal: Journal
    state: State
    identity: Identity
    people: People
    logins: Logins
    brake: Brake
    notices: Notices
    registry: Registry
    keys: Keys
    images: Path
    closed: tuple[Record, ...]

    def open_session(self, kind: str, name: str, options: Mapping[str, Any]) -> Session:
        """A guarded database session; what it captures can be undone by this name from now on."""
        self.systems.add(name, opener(name, {"kind": kind, **options}, self.images))
        return open_session(kind, name, options, images=own_directory(self.images, name))

    def close(self) -> None:
        """Make everything durable and let the store go."""
        self.notices.close()
        self.systems.close()
        self.journal.close()
        self.state.close()
        if self.settings.store == MEMORY:
            shutil.rmtree(self.images, ignore_errors=True)


def utc_now() -> datetime:
    """The clock of every record."""
    return datetime.now(UTC)


def assemble(settings: Settings) -> Assembly:
    """Open the store, load the policies, close what dead processes left.

    Raises StoreError, PolicyError, ConfigurationError. A fresh store starts with the default policies.
    """
    files, logins = read_policy_files(settings.policies), open_logins(settings.login)
    journal, state, images = _open_store(settings)
    notifiers = open_notifiers(settings.notices, clock=utc_now)
    systems = Systems(openers(settings.systems, settings.resources, images), settings.resources)
    notices = Notices(state.outbox, notifiers, settings.notices, clock=utc_now, new_id=new_id)
    audit = Audit(journal, utc_now)
    policies = PolicyBook(state.policies, files=files, clock=utc_now, record=audit.record)
    keys = Keys(state.credentials, audit, clock=utc_now, new_credential=new_key)
    registry = Registry(state.agents, audit, clock=utc_now, keys=keys)
    holds, grants = asking(state, journal, policies, audit, clock=utc_now, new_id=new_id, tell=notices.tell)
    brake = brake_of(
        state, audit, clock=utc_now, new_id=new_id, tell=notices.tell, void_agent=holds.void_agent
    )
    point = ControlPoint(
        journal,
        policies,
        clock=utc_now,
        new_id=new_id,
        systems=systems,
        approvals=holds,
        posture=brake.posture,
        breakers=Breakers(journal, brake, clock=utc_now),
        known=registry.known,
        seen=registry.seen,
    )
    tokens = Tokens(state.credentials, clock=utc_now, make=new_key)
    people = People(state.people, tokens, audit, clock=utc_now, passwords=Passwords())
    recovery, closed = Recovery(point), close_left_behind(journal, utc_now)
    recovery.settle_closed(closed)
    holds.catch_up()
    return Assembly(
        settings=settings,
        control_point=point,
        recovery=recovery,
        audit=audit,
        holds=holds,
        grants=grants,
        systems=systems,
        journal=journal,
        state=state,
        identity=Identities(proofs(settings.identity, state, arrived=registry.arrived)),
        people=people,
        logins=Logins(logins, people, clock=utc_now),
        brake=brake,
        notices=notices,
        registry=registry,
        keys=keys,
        images=images,
        closed=tuple(closed),
    )


def _open_store(settings: Settings) -> tuple[Journal, State, Path]:
    """Journal, state, and where images of what is saved go. A fresh state has the default policies."""
    journal: Journal = MemoryJournal()
    state: State = MemoryState()
    directory = Path(settings.store)
    if settings.store == MEMORY:
        images = Path(tempfile.mkdtemp(prefix="clearance-"))
    else:
        journal, state = _kept(SqliteJournal(directory), settings.keep_days), SqliteState(directory)
        images = directory / "images"
    if state.policies.current() is None:
        with suppress(ConflictError):  # another process was first
            state.policies.replace(default_policies(), expected=0, by="clearance", at=utc_now())
    return journal, state, images


def _kept(journal: SqliteJournal, days: int) -> SqliteJournal:
    """The journal without the files that are older than it is told to keep; 0 keeps all."""
    if days:
        journal.drop_before((utc_now() - timedelta(days=days)).date())
    return journal
