"""Brings what is in a segment's log into its file, beside the writer, so that no append has to do it."""

from __future__ import annotations

import sqlite3
import threading

from clearance.adapters.store.sqlite.segments import Segments


class Checkpoints:
    """Has a connection of its own, to the newest segment. Thread-safe."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._lock = threading.Lock()
        self._name = ""
        self._connection: sqlite3.Connection | None = None

    def run(self) -> None:
        """One passive checkpoint: it waits for nobody, and nobody waits for it."""
        with self._lock:
            names = self._segments.names()
            if not names:
                return
            if self._connection is None or names[-1] != self._name:
                self._let_go()
                self._name, self._connection = names[-1], self._segments.connect(names[-1])
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
