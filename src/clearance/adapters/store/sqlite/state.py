"""Policies, agents and keys in one small file, each change power-safe before it returns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from clearance.adapters.store.memory_state import MemoryState
from clearance.adapters.store.sqlite import schema
from clearance.adapters.store.sqlite.failures import translated
from clearance.adapters.store.sqlite.files import (
    BUSY_SECONDS,
    connect,
    create,
    private_directory,
    remove_unfinished,
)
from clearance.adapters.store.sqlite.meta import require_known
from clearance.adapters.store.sqlite.rows import Row, micros, moment
from clearance.errors import ConflictError
from clearance.ports import PolicyVersion

_POLICIES = "SELECT number, at, by, document FROM policies ORDER BY number DESC LIMIT ?"


class SqlitePolicies:
    """PolicyStore over `state.db`. Safe to share between threads and between processes."""

    def __init__(self, directory: Path | str = ".clearance", *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._lock = threading.Lock()
        self._version = -1
        self._revision = 0
        directory = Path(directory)
        with translated("open the store"):
            private_directory(directory)
            remove_unfinished(directory)
            create(directory / "state.db", _fill)
            self._connection = connect(directory / "state.db", busy_seconds=busy_seconds)
            self._connection.execute("PRAGMA synchronous=FULL")
            require_known(self._connection.execute("SELECT version FROM meta").fetchone()[0])

    def current(self) -> PolicyVersion | None:
        return next(iter(self.versions(1)), None)

    def revision(self) -> int:
        with self._lock, translated("read the policies"):
            return self._newest()

    def versions(self, limit: int = 50) -> list[PolicyVersion]:
        return [_policy(row) for row in self._read(_POLICIES, max(limit, 0))]

    def replace(self, document: dict[str, Any], *, expected: int, by: str, at: datetime) -> PolicyVersion:
        encoded = msgspec.json.encode(document)
        with self._writing("store the policies"):
            newest = self._newest()
            if newest != expected:
                raise ConflictError(
                    f"The policies are at version {newest}, not {expected}: read them anew and try again."
                )
            row = (newest + 1, micros(at), by, encoded.decode())
            self._connection.execute("INSERT INTO policies VALUES (?, ?, ?, ?)", row)
        return _policy(row)

    def close(self) -> None:
        with self._lock, translated("close the store"):
            self._connection.close()

    def _newest(self) -> int:
        # The number kept is right until another connection writes; own writes forget it themselves.
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            row = self._connection.execute("SELECT max(number) FROM policies").fetchone()
            self._revision, self._version = row[0] or 0, version
        return self._revision

    def _read(self, select: str, *values: object) -> list[Row]:
        with self._lock, translated("read the store"):
            return self._connection.execute(select, values).fetchall()

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        with self._lock, translated(doing):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._version = -1


def _fill(connection: sqlite3.Connection) -> None:
    for statement in schema.STATE:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?)", (schema.VERSION,))


def _policy(row: Row) -> PolicyVersion:
    return PolicyVersion(number=row[0], at=moment(row[1]), by=row[2], document=msgspec.json.decode(row[3]))


class SqliteState(MemoryState):
    """Every store but the journal, over `state.db`."""

    def __init__(self, directory: Path | str = ".clearance") -> None:
        super().__init__()
        self.policies = SqlitePolicies(directory)  # type: ignore[assignment]

    def close(self) -> None:
        self.policies.close()  # type: ignore[attr-defined]
