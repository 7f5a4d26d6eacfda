"""The one place where adapters are chosen. Decides nothing else; doors are built on what it returns."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clearance.adapters.identity.api_key import ApiKeyIdentity
from clearance.adapters.store import MemoryJournal, MemoryState, SqliteJournal, SqliteState
from clearance.config import Settings, default_policies, read_policy_files
from clearance.core.model import Record
from clearance.errors import ConflictError
from clearance.ports import AgentStore, Identity, Journal
from clearance.runtime.control_point import ControlPoint
from clearance.runtime.names import new_id
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.sweep import close_left_behind

MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything a door needs. `closed` are the actions that recovery closed as unknown at the start."""

    control_point: ControlPoint
    journal: Journal
    agents: AgentStore
    identity: Identity
    closed: tuple[Record, ...]

    def close(self) -> None:
        """Make everything durable and let the store go."""
        self.journal.close()
        self.agents.close()


def utc_now() -> datetime:
    """The clock of every record."""
    return datetime.now(UTC)


def assemble(settings: Settings) -> Assembly:
    """Open the store, load the policies, close what dead processes left.

    Raises StoreError, PolicyError. A fresh store starts with the default policies.
    """
    files = read_policy_files(settings.policies)
    if settings.store == MEMORY:
        journal: Journal = MemoryJournal()
        state: MemoryState | SqliteState = MemoryState()
    else:
        directory = Path(settings.store)
        journal, state = _kept(SqliteJournal(directory), settings.keep_days), SqliteState(directory)
    if state.current() is None:
        with suppress(ConflictError):  # another process was first
            state.replace(default_policies(), expected=0, by="clearance", at=utc_now())
    policies = PolicyBook(state, files=files, clock=utc_now)
    return Assembly(
        control_point=ControlPoint(journal, policies, clock=utc_now, new_id=new_id),
        journal=journal,
        agents=state,
        identity=ApiKeyIdentity(state),
        closed=tuple(close_left_behind(journal, utc_now)),
    )


def _kept(journal: SqliteJournal, days: int) -> SqliteJournal:
    """The journal without the files that are older than it is told to keep; 0 keeps all."""
    if days:
        journal.drop_before((utc_now() - timedelta(days=days)).date())
    return journal
