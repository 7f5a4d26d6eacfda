"""The one place where adapters are chosen. Decides nothing else; doors are built on what it returns."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clearance.adapters.approvals import open_notifiers
from clearance.adapters.identity import Passwords, new_key, open_logins, proofs
from clearance.adapters.store import MemoryJournal, MemoryState, SqliteJournal, SqliteState
from clearance.adapters.systems import open_session, opener, openers, own_directory
from clearance.config import Settings, default_policies, read_policy_files
from clearance.errors import ConflictError
from clearance.ports import Identity, Journal, Session, State
from clearance.runtime.audit import Audit
from clearance.runtime.identities import Identities
from clearance.runtime.logins import Logins
from clearance.runtime.names import new_id
from clearance.runtime.notices import Notices
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.services import Makers, Services, services
from clearance.runtime.systems import Systems

MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly(Services):
    """Everything a door needs."""

    settings: Settings
    identity: Identity
    logins: Logins
    images: Path

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
    systems, notifiers = settings.systems, open_notifiers(settings.notices, clock=utc_now)
    journal, state, images = _open_store(settings)
    audit = Audit(journal, utc_now)
    made = services(
        journal,
        state,
        audit=audit,
        policies=PolicyBook(state.policies, files=files, clock=utc_now, record=audit.record),
        systems=Systems(openers(systems, settings.resources, images), settings.resources),
        notices=Notices(state.outbox, notifiers, settings.notices, clock=utc_now, new_id=new_id),
        make=Makers(clock=utc_now, new_id=new_id, new_credential=new_key, passwords=Passwords()),
    )
    return Assembly(
        **{field.name: getattr(made, field.name) for field in fields(made)},
        settings=settings,
        identity=Identities(proofs(settings.identity, state, arrived=made.registry.arrived)),
        logins=Logins(logins, made.people, clock=utc_now),
        images=images,
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
