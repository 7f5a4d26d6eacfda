"""Every store of one `state.db`, opened and closed together."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from clearance.adapters.store.sqlite.failures import translated
from clearance.adapters.store.sqlite.files import (
    BUSY_SECONDS,
    connect,
    create,
    private_directory,
    remove_unfinished,
)
from clearance.adapters.store.sqlite.state.agents import SqliteAgents
from clearance.adapters.store.sqlite.state.brakes import SqliteBrakes
from clearance.adapters.store.sqlite.state.credentials import SqliteCredentials
from clearance.adapters.store.sqlite.state.database import Database
from clearance.adapters.store.sqlite.state.grants import SqliteGrants
from clearance.adapters.store.sqlite.state.holds import SqliteHolds
from clearance.adapters.store.sqlite.state.outbox import SqliteOutbox
from clearance.adapters.store.sqlite.state.people import SqlitePeople
from clearance.adapters.store.sqlite.state.pins import SqlitePins
from clearance.adapters.store.sqlite.state.policies import SqlitePolicies
from clearance.adapters.store.sqlite.state.upgrade import fill, upgrade
from clearance.ports import CallSoon


class SqliteState:
    """State over `state.db`. Safe to share between threads and between processes."""

    def __init__(self, directory: Path | str = ".clearance", *, busy_seconds: float = BUSY_SECONDS) -> None:
        """Raises StoreError. A file of an earlier release is brought up to date, for good."""
        directory = Path(directory)
        path = directory / "state.db"
        with translated("open the store"):
            private_directory(directory)
            remove_unfinished(directory)
            create(path, fill)
            with closing(connect(path, busy_seconds=busy_seconds)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                upgrade(connection)
            self._database = Database(path, busy_seconds=busy_seconds)
        self.policies = SqlitePolicies(self._database)
        self.agents = SqliteAgents(self._database)
        self.credentials = SqliteCredentials(self._database)
        self.people = SqlitePeople(self._database)
        self.holds = SqliteHolds(self._database)
        self.grants = SqliteGrants(self._database)
        self.brakes = SqliteBrakes(self._database)
        self.outbox = SqliteOutbox(self._database)
        self.pins = SqlitePins(self._database)

    def follow_turns(self, call_soon: CallSoon | None) -> None:
        self._database.looks.follow_turns(call_soon)

    def close(self) -> None:
        """Let go."""
        self._database.close()
