"""Connections to read with, a few kept open. They never write and never block a writer."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clearance.adapters.store.sqlite.segments import Segments

_KEPT: Final = 16  # idle connections, of all segments together: each holds up to three file descriptors


class Readers:
    """Lends each connection to one thread at a time; reading in one never waits for reading in another."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._lock = threading.Lock()
        self._idle: list[tuple[str, sqlite3.Connection]] = []

    @contextmanager
    def reading(self, name: str) -> Iterator[sqlite3.Connection]:
        """A connection to one segment, inside one read transaction: every query sees the same state."""
        connection = self._taken(name) or self._opened(name)
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._give_back(name, connection)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _taken(self, name: str) -> sqlite3.Connection | None:
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index][0] == name:
                    return self._idle.pop(index)[1]
        return None

    def _opened(self, name: str) -> sqlite3.Connection:
        connection = self._segments.connect(name)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _give_back(self, name: str, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._idle.append((name, connection))
            oldest = self._idle.pop(0)[1] if len(self._idle) > _KEPT else None
        if oldest is not None:
            oldest.close()
