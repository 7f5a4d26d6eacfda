"""Follow what other processes write, over segments, at the cost of one PRAGMA when nothing changed.

A record is one's own when this object wrote it: the writer tells the positions it commits. What a record
says of its node is not asked.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence

from clearance.adapters.store.sqlite.looks import Looks
from clearance.adapters.store.sqlite.rows import SELECT_RECORDS, record_of
from clearance.adapters.store.sqlite.segments import Segments
from clearance.core.model import Record

_END = "SELECT coalesce((SELECT max(position) FROM records), (SELECT genesis_position FROM meta))"
_SINCE = SELECT_RECORDS + "WHERE position > ? ORDER BY position"


class OwnPositions:
    """Which places in the journal this object has written, as few ranges as there are. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ranges: list[tuple[int, int]] = []
        self._staged: dict[int, str] = {}

    def stage(self, records: Sequence[Record]) -> None:
        """Before a commit. Kept by chain too: if it fails, another process gets the same positions."""
        with self._lock:
            self._staged = {record.position: record.chain for record in records}

    def unstage(self) -> None:
        """After a failed commit."""
        with self._lock:
            self._staged = {}

    def settle(self) -> None:
        """After a commit."""
        with self._lock:
            if not self._staged:
                return
            first, last = min(self._staged), max(self._staged)
            if self._ranges and self._ranges[-1][1] == first - 1:
                first = self._ranges.pop()[0]
            self._ranges.append((first, last))
            self._staged = {}

    def skip(self, seen: int) -> int:
        """The place up to which everything after `seen` is one's own; what lies before it is forgotten."""
        with self._lock:
            while self._ranges and self._ranges[0][0] <= seen + 1:
                seen = max(seen, self._ranges.pop(0)[1])
        return seen

    def without(self, records: Sequence[Record]) -> list[Record]:
        with self._lock:
            ranges, staged = list(self._ranges), self._staged
        return [
            record
            for record in records
            if staged.get(record.position) != record.chain
            and not any(first <= record.position <= last for first, last in ranges)
        ]


class Foreign:
    """Reads each record of other processes once, in order. Safe to share between threads."""

    def __init__(self, segments: Segments, own: OwnPositions) -> None:
        self._segments = segments
        self._own = own
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._watching: sqlite3.Cursor | None = None
        self.looks = Looks()
        self._version = -1
        self._asked = False
        self._seen = 0
        self._watch_newest()
        if self._connection is not None:
            self._seen = self._connection.execute(_END).fetchone()[0]

    def read(self) -> list[Record]:
        """Records of others since the last call. The first call returns none: it marks where to begin."""
        if self.looks.is_fresh:
            return []
        with self._lock:
            if not self._asked:
                self._asked = True
                return []
            if self._connection is None and not self._watch_newest():
                return []
            assert self._watching is not None
            ((version,),) = self._watching.execute("PRAGMA data_version").fetchall()
            self.looks.looked()
            if version == self._version:
                return []
            self._version = version
            try:
                return self._drain()
            except BaseException:
                self._version = -1
                self.looks.look_again()
                raise

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _watch_newest(self) -> bool:
        # In a journal that had no segment yet nothing was seen, so the oldest is where to begin.
        names = self._segments.names()
        if not names:
            return False
        self._watch(names[0] if self._asked else names[-1])
        return True

    def _watch(self, name: str) -> None:
        self._connection = self._segments.connect(name)
        self._watching = self._connection.cursor()  # asked on every decision

    def _drain(self) -> list[Record]:
        found: list[Record] = []
        while True:
            self._seen = self._own.skip(self._seen)
            assert self._connection is not None
            # Read first: once it is seen to be sealed, nothing can have been added to what was read.
            name, following = self._connection.execute("SELECT name, next FROM meta").fetchone()
            records = [record_of(row) for row in self._connection.execute(_SINCE, (self._seen,))]
            found += self._own.without(records)
            self._seen = records[-1].position if records else self._seen
            if not following or not self._move_after(name):
                return found

    def _move_after(self, name: str) -> bool:
        later = [other for other in self._segments.names() if other > name]
        if not later:
            self._version = -1
            return False
        assert self._connection is not None
        self._connection.close()
        self._watch(later[0])
        self._version = -1
        return True
