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
from clearance.errors import ConflictError, NotFoundError
from clearance.ports import Agent, KeyScope, PolicyVersion, StoredKey

_POLICIES = "SELECT number, at, by, document FROM policies ORDER BY number DESC LIMIT ?"
_KEYS = "SELECT key_id, agent, scope, secret_hash, created_at, expires_at, revoked_at FROM keys "


class SqliteState:
    """PolicyStore and AgentStore over `state.db`. Safe to share between threads and between processes."""

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

    def agents(self) -> list[Agent]:
        return [
            _agent(row)
            for row in self._read("SELECT name, description, created_at FROM agents ORDER BY name")
        ]

    def agent(self, name: str) -> Agent | None:
        rows = self._read("SELECT name, description, created_at FROM agents WHERE name = ?", name)
        return _agent(rows[0]) if rows else None

    def add_agent(self, agent: Agent) -> None:
        row = (agent.name, agent.description, micros(agent.created_at))
        with self._writing("store the agent"), _taken("An agent of this name exists already."):
            self._connection.execute("INSERT INTO agents VALUES (?, ?, ?)", row)

    def keys(self, agent: str = "") -> list[StoredKey]:
        select = _KEYS + "WHERE ? IN ('', agent) ORDER BY created_at, key_id"
        return [_key(row) for row in self._read(select, agent)]

    def key(self, key_id: str) -> StoredKey | None:
        rows = self._read(_KEYS + "WHERE key_id = ?", key_id)
        return _key(rows[0]) if rows else None

    def add_key(self, key: StoredKey) -> None:
        row = (
            key.key_id,
            key.agent,
            key.scope.value,
            key.secret_hash,
            micros(key.created_at),
            _maybe_micros(key.expires_at),
            _maybe_micros(key.revoked_at),
        )
        with self._writing("store the key"), _taken("A key of this id exists already."):
            self._connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def revoke_key(self, key_id: str, at: datetime) -> None:
        update = "UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE key_id = ?"
        with self._writing("revoke the key"):
            if self._connection.execute(update, (micros(at), key_id)).rowcount == 0:
                raise NotFoundError("There is no key of this id.")

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


@contextmanager
def _taken(message: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ConflictError(message) from error


def _fill(connection: sqlite3.Connection) -> None:
    for statement in schema.STATE:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?)", (schema.VERSION,))


def _policy(row: Row) -> PolicyVersion:
    return PolicyVersion(number=row[0], at=moment(row[1]), by=row[2], document=msgspec.json.decode(row[3]))


def _agent(row: Row) -> Agent:
    return Agent(name=row[0], description=row[1], created_at=moment(row[2]))


def _key(row: Row) -> StoredKey:
    return StoredKey(
        key_id=row[0],
        agent=row[1],
        scope=KeyScope(row[2]),
        secret_hash=row[3],
        created_at=moment(row[4]),
        expires_at=_maybe_moment(row[5]),
        revoked_at=_maybe_moment(row[6]),
    )


def _maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _maybe_moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)
