"""The journal's only writer in a process: one transaction per group of appends, all of it or nothing.

Heads of runs and of the journal are kept in memory and believed only while `PRAGMA data_version` says,
inside the transaction, that no other connection has written.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from clearance.adapters.store.intake import Accepted
from clearance.adapters.store.run_state import RunState, followed
from clearance.adapters.store.sqlite.bulk import insert
from clearance.adapters.store.sqlite.failures import store_error
from clearance.adapters.store.sqlite.files import sync_log
from clearance.adapters.store.sqlite.foreign import OwnPositions
from clearance.adapters.store.sqlite.meta import Meta, read_meta
from clearance.adapters.store.sqlite.open_actions import OpenActions
from clearance.adapters.store.sqlite.readers import Readers
from clearance.adapters.store.sqlite.rows import (
    INSERT_RECORD,
    INSERT_RUN,
    OR_UPDATE_RUN,
    record_row,
    run_in,
    run_row,
)
from clearance.adapters.store.sqlite.run_index import RunIndex
from clearance.adapters.store.sqlite.segments import Segments, end_of, last_link, name_for
from clearance.core.model import Durability, Record
from clearance.core.model.record import GENESIS, seal
from clearance.errors import StoreError

_RUNS_KEPT: Final = 10_000  # heads in memory, about half a kilobyte each
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_SETTINGS: Final = (
    # Pages, 64 MiB: then one append brings the log into the file, a page that changed often only once.
    "PRAGMA wal_autocheckpoint=16000",
    "PRAGMA journal_size_limit=67108864",  # bytes the log may keep after a burst
    "PRAGMA cache_size=-16384",  # KiB: the inner pages of three indexes of some million records
)


class Job(Struct, frozen=True):
    """One append: its drafts, the time of the latest, and how durable it must be."""

    accepted: Sequence[Accepted]
    latest: datetime
    durability: Durability


class Writer:
    """Writes to the newest segment and moves on with the days. Callers take turns."""

    def __init__(self, segments: Segments, index: RunIndex, readers: Readers, own: OwnPositions) -> None:
        self._segments = segments
        self._index = index
        self._readers = readers
        self._own = own
        self._lock = threading.Lock()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._name = ""
        self._full = True
        self._is_new = True  # nothing was committed on this connection yet
        self._runs: dict[str, RunState] = {}
        self._position, self._chain = 0, GENESIS
        self._ends_at = _NEVER
        self._sealed: Meta | None = None
        self._version = -1

    def write(self, jobs: Sequence[Job]) -> list[list[Record]]:
        """Commit every job or none. Raises StoreError."""
        with self._lock:
            if self._closed:
                raise StoreError("The journal is closed: open it again to append.")
            try:
                return self._write(jobs)
            except (sqlite3.Error, OSError) as error:
                self._abandon()
                raise store_error(error, f"append to {self._name or 'the journal'}") from error
            except BaseException:
                self._abandon()
                raise

    def close(self) -> None:
        """Make every append power-safe, those for PROCESS too, and let go."""
        with self._lock:
            self._closed = True
            self._detach()

    def sync(self) -> None:
        """Make every commit power-safe, beside a write that may go on. Raises OSError."""
        if name := self._name:  # what was written to those before was synced when they were left
            sync_log(self._segments.path(name))

    def _write(self, jobs: Sequence[Job]) -> list[list[Record]]:
        full = any(job.durability is Durability.POWER for job in jobs)
        connection = self._begin(max(job.latest for job in jobs), full=full)
        changed: dict[str, RunState] = {}
        actions = OpenActions(connection, (accepted for job in jobs for accepted in job.accepted))
        written: list[list[Record]] = []
        for job in jobs:
            written.append([self._add(connection, accepted, changed, actions) for accepted in job.accepted])
        records = [record for group in written for record in group]
        insert(connection, [*map(record_row, records)], into=INSERT_RECORD)
        insert(connection, [*map(run_row, changed.values())], into=INSERT_RUN, on_conflict=OR_UPDATE_RUN)
        actions.write()
        self._own.stage(records)
        connection.execute("COMMIT")
        self._is_new = False
        self._own.settle()
        self._keep(changed)
        return written

    def _add(
        self,
        connection: sqlite3.Connection,
        accepted: Accepted,
        changed: dict[str, RunState],
        actions: OpenActions,
    ) -> Record:
        draft = accepted.draft
        before = changed.get(draft.run_id) or self._runs.get(draft.run_id)
        head = (before.seq, before.hash) if before else None
        if head is None:
            before, head = self._load(connection, draft.run_id)
        record = seal(
            draft,
            seq=head[0] + 1,
            prev_hash=head[1],
            position=self._position + 1,
            prev_chain=self._chain,
        )
        changed[draft.run_id] = followed(before, record, accepted.told, new_actions=actions.move(record))
        self._position, self._chain = record.position, record.chain
        return record

    def _load(self, connection: sqlite3.Connection, run_id: str) -> tuple[RunState | None, tuple[int, str]]:
        """A run's state and head. Of one whose segment was dropped only the head is left."""
        state = run_in(connection, run_id)
        if state is None and (known := self._index.head(run_id)) is not None:
            if not self._segments.path(known[0]).exists():
                return None, (known[1], known[2])
            with self._readers.reading(known[0]) as earlier:
                state = run_in(earlier, run_id)
        return state, (state.seq, state.hash) if state else (0, GENESIS)

    def _begin(self, latest: datetime, *, full: bool) -> sqlite3.Connection:
        """Open a write transaction on the segment that takes a record of this time."""
        connection = self._connection or self._attach(latest)
        while True:
            wanted = full or self._is_new
            if wanted is not self._full:
                connection.executescript(f"PRAGMA synchronous={'FULL' if wanted else 'NORMAL'}")
                self._full = wanted
            connection.execute("BEGIN IMMEDIATE")
            self._refresh(connection)
            if latest < self._ends_at:
                return connection
            connection.execute("ROLLBACK")
            sealed = self._sealed or self._segments.seal(self._name, following=name_for(latest))
            self._detach()
            self._segments.create_after(sealed)
            connection = self._attach(latest)

    def _refresh(self, connection: sqlite3.Connection) -> None:
        """Read the heads anew if another connection has written since they were kept."""
        version: int = connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        self._forget()
        meta = read_meta(connection)
        self._position, self._chain = last_link(connection, meta)
        self._sealed = meta if meta.is_sealed else None
        self._ends_at = _NEVER if meta.is_sealed else end_of(meta.name)
        self._version = version

    def _attach(self, latest: datetime) -> sqlite3.Connection:
        """Connect to the newest segment; make the journal's first where there is none."""
        names = self._segments.names()
        if not names:
            names = [self._index.claim_first(name_for(latest))]
            self._segments.create_first(names[0])
        name = names[-1]
        self._index.take_in(before=name)
        connection = self._segments.connect(name)
        for setting in _SETTINGS:
            connection.execute(setting)
        connection.executescript("PRAGMA synchronous=FULL")
        self._connection, self._name, self._full, self._is_new = connection, name, True, True
        self._forget()
        return connection

    def _detach(self) -> None:
        self._forget()
        if self._connection is not None:
            self.sync()
            with suppress(sqlite3.Error):
                # What others still read stays in the log; the last of them to close folds it in.
                self._connection.execute("PRAGMA busy_timeout=0")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._connection = None

    def _abandon(self) -> None:
        """After a failure: undo the transaction and believe nothing that was kept."""
        self._own.unstage()
        self._forget()
        if self._connection is not None and self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        if self._connection is not None and self._connection.in_transaction:
            self._connection.close()
            self._connection = None

    def _forget(self) -> None:
        self._runs.clear()
        self._version = -1

    def _keep(self, changed: dict[str, RunState]) -> None:
        for run_id, state in changed.items():
            self._runs.pop(run_id, None)
            self._runs[run_id] = state
        while len(self._runs) > _RUNS_KEPT:
            del self._runs[next(iter(self._runs))]
