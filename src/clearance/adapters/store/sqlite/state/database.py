"""What the stores of one `state.db` share: its connections, its transactions, and the count of changes.

Three kinds of connection, so that none waits for another's work: one that only looks whether anything
changed, a few to read with, and one to write with.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clearance.adapters.store.sqlite.failures import store_error, translated
from clearance.adapters.store.sqlite.files import connect
from clearance.adapters.store.sqlite.looks import Looks
from clearance.adapters.store.sqlite.rows import Row
from clearance.errors import ConflictError, StoreError

# One look serves what decisions ask in a row: key, registry, policies, brake, holds. Whoever changes
# something in another process is heard so much later at most: writing the change down takes longer.
_LOOK_SECONDS: Final = 0.000_25
_READERS_KEPT: Final = 4  # idle ones; more threads than that open one for each read


class Database:
    """Thread-safe, and safe between processes. Knows no table but `revisions`."""

    def __init__(self, path: Path, *, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._watch_lock = threading.Lock()
        self._watch = self._connected()
        self._watching = self._watch.cursor()
        self._seen = -1
        self.looks = Looks(_LOOK_SECONDS)
        self._numbers: dict[str, int] = {}
        self._readers_lock = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._write_lock = threading.Lock()
        self._writer = self._connected()
        self._is_closed = False

    def revision(self, topic: str) -> int:
        """How often something of this kind changed. Asked on every decision, and mostly without a lock."""
        if self.looks.is_fresh:
            return self._numbers[topic]
        try:
            with self._watch_lock:
                # What was read last is right until another connection, of any process, has committed.
                ((version,),) = self._watching.execute("PRAGMA data_version").fetchall()
                if version != self._seen:
                    self._numbers = dict(self._watching.execute("SELECT topic, number FROM revisions"))
                    self._seen = version
                self.looks.looked()
                return self._numbers[topic]
        except sqlite3.Error as error:
            raise store_error(error, "read the store") from error

    def rows(self, select: str, *values: object) -> list[Row]:
        """All rows of one query. Waits for no writer and for no other reader."""
        with translated("read the store"):
            connection = self._reader()
            try:
                found = connection.execute(select, values).fetchall()
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)
            return found

    @contextmanager
    def writing(self, doing: str) -> Iterator[sqlite3.Connection]:
        """One transaction, power-safe when it ends. Whatever is raised inside takes all of it back."""
        with self._write_lock, translated(doing):
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
                with self._watch_lock:
                    self.looks.look_again()  # own changes are seen at once
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._watch_lock, self._write_lock, self._readers_lock, translated("close the store"):
            self._is_closed = True
            self.looks.look_again()
            for connection in (self._watch, *self._readers, self._writer):
                connection.close()
            self._readers.clear()

    def _reader(self) -> sqlite3.Connection:
        with self._readers_lock:
            if self._is_closed:
                raise StoreError("Could not read the store: it was closed.")
            if self._readers:
                return self._readers.pop()
        connection = self._connected()
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._readers_lock:
            if not self._is_closed and len(self._readers) < _READERS_KEPT:
                self._readers.append(connection)
                return
        connection.close()

    def _connected(self) -> sqlite3.Connection:
        connection = connect(self._path, busy_seconds=self._busy_seconds)
        connection.execute("PRAGMA synchronous=FULL")
        return connection


def count_change(connection: sqlite3.Connection, *topics: str) -> None:
    """Tell everybody, with the commit, that something of this kind changed."""
    for topic in topics:
        connection.execute("UPDATE revisions SET number = number + 1 WHERE topic = ?", (topic,))


@contextmanager
def taken(message: str) -> Iterator[None]:
    """Turn a key that is there already into a ConflictError."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ConflictError(message) from error
