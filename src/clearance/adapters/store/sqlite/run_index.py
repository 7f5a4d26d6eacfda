"""Where runs of sealed segments ended: a run's first append costs the same however many days are kept.

Derived from the segments and made anew from them when it is missing: never the only place of anything.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import Final

from clearance.adapters.store.sqlite import schema
from clearance.adapters.store.sqlite.files import connect, create, uri_of
from clearance.adapters.store.sqlite.meta import require_known
from clearance.adapters.store.sqlite.segments import Segments

_FILE: Final = "runs.db"
_FOLD: Final = """
INSERT INTO heads SELECT run_id, ?, seq, hash FROM sealed.runs WHERE true
ON CONFLICT (run_id) DO UPDATE SET segment = excluded.segment, seq = excluded.seq, hash = excluded.hash"""


class RunIndex:
    """One file beside the segments. Safe to share between threads and processes."""

    def __init__(self, segments: Segments, *, busy_seconds: float) -> None:
        self._segments = segments
        self._lock = threading.Lock()
        path = segments.path(_FILE)
        create(path, _fill)
        self._connection = connect(path, busy_seconds=busy_seconds)
        require_known(self._connection.execute("SELECT version FROM meta").fetchone()[0])

    def claim_first(self, name: str) -> str:
        """The name of the journal's first segment: the one that was claimed first, by whichever process."""
        with self._lock:
            self._connection.execute("UPDATE meta SET first = ? WHERE first = ''", (name,))
            first: str = self._connection.execute("SELECT first FROM meta").fetchone()[0]
        return first

    def take_in(self, *, before: str) -> None:
        """Fold in every sealed segment older than `before` that is not yet in. Repeatable at any point."""
        with self._lock:
            through = self._connection.execute("SELECT through FROM meta").fetchone()[0]
            for name in self._segments.names():
                if through < name < before:
                    self._fold(name)

    def head(self, run_id: str) -> tuple[str, int, str] | None:
        """Segment, number and hash of the last record that sealed segments hold of a run."""
        with self._lock:
            row = self._connection.execute(
                "SELECT segment, seq, hash FROM heads WHERE run_id = ?", (run_id,)
            ).fetchone()
        return (row[0], row[1], row[2].hex()) if row else None

    def through(self) -> str:
        """The newest segment that is folded in; empty when none is."""
        with self._lock:
            name: str = self._connection.execute("SELECT through FROM meta").fetchone()[0]
        return name

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _fold(self, name: str) -> None:
        execute = self._connection.execute
        execute("ATTACH ? AS sealed", (uri_of(self._segments.path(name)),))
        try:
            execute("BEGIN IMMEDIATE")
            try:
                if execute("SELECT through FROM meta").fetchone()[0] < name:
                    execute(_FOLD, (name,))
                    execute("UPDATE meta SET through = ?", (name,))
                execute("COMMIT")
            except BaseException:
                execute("ROLLBACK")
                raise
        finally:
            execute("DETACH sealed")


def _fill(connection: sqlite3.Connection) -> None:
    for statement in schema.RUN_INDEX:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?, '', '')", (schema.VERSION,))
