"""Fills a new `state.db`, and brings one of an earlier release up to date in one transaction."""

from __future__ import annotations

import sqlite3
from typing import Final

from clearance.adapters.store.sqlite.meta import require_known
from clearance.adapters.store.sqlite.rows import Row, moment
from clearance.adapters.store.sqlite.state.body import maybe_moment, written
from clearance.adapters.store.sqlite.state.credentials import insert_credential
from clearance.adapters.store.sqlite.state.people import insert_person
from clearance.adapters.store.sqlite.state.schema import (
    META,
    PINS,
    POLICIES,
    POLICIES_TABLE,
    SINCE_2,
    SINCE_3,
    TOPICS,
    VERSION,
)
from clearance.core.model import Agent, Credential, CredentialKind, Person, PersonSource, Role
from clearance.errors import IntegrityError

_OLD_KEYS: Final = (
    "SELECT key_id, agent, scope, secret_hash, created_at, expires_at, revoked_at FROM keys"
    " ORDER BY created_at, key_id"
)


def fill(connection: sqlite3.Connection) -> None:
    """The tables of a new file."""
    for statement in (META, POLICIES_TABLE, *SINCE_2):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?)", (VERSION,))
    _begin_counting(connection)


def upgrade(connection: sqlite3.Connection) -> None:
    """Do nothing to a file of this version. Raises StoreError for one of a newer release."""
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection)
        if found == 1:
            _from_1(connection)
        elif found == 2:  # else another process was first
            _from_2(connection)
        connection.execute("UPDATE meta SET version = ?", (VERSION,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT version FROM meta").fetchone()
    if row is None:
        raise IntegrityError("The state has lost its version: restore a copy of state.db.")
    require_known(row[0], known=VERSION)
    return int(row[0])


def _from_1(connection: sqlite3.Connection) -> None:
    agents = connection.execute("SELECT name, description, created_at FROM agents").fetchall()
    keys = connection.execute(_OLD_KEYS).fetchall()
    for table in ("agents", "keys"):
        connection.execute(f"DROP TABLE {table}")
    for statement in SINCE_2:
        connection.execute(statement)
    _begin_counting(connection)
    known = {name: Agent(name=name, purpose=purpose, created_at=moment(at)) for name, purpose, at in agents}
    for agent in known.values():
        connection.execute("INSERT INTO agents VALUES (?, ?)", (agent.name, written(agent)))
    for service in _services(keys, known).values():
        insert_person(connection, service)
    for row in keys:
        insert_credential(connection, _credential(row))


def _from_2(connection: sqlite3.Connection) -> None:
    for statement in SINCE_3:
        connection.execute(statement)
    connection.execute("INSERT INTO revisions VALUES (?, 0)", (PINS,))


def _begin_counting(connection: sqlite3.Connection) -> None:
    """The policies' revision is their newest number."""
    newest = connection.execute("SELECT coalesce(max(number), 0) FROM policies").fetchone()[0]
    numbers = [(topic, newest if topic == POLICIES else 0) for topic in TOPICS]
    connection.executemany("INSERT INTO revisions VALUES (?, ?)", numbers)


def _services(keys: list[Row], known: dict[str, Agent]) -> dict[str, Person]:
    """Who held admin keys, by name: from now on a service, whose tokens they are."""
    found: dict[str, Person] = {}
    for row in keys:
        name = row[1]
        if row[2] == "admin" and name not in found:
            since = known[name].created_at if name in known else moment(row[4])
            found[name] = Person(
                name=name, created_at=since, roles=(Role.ADMIN,), source=PersonSource.SERVICE
            )
    return found


def _credential(row: Row) -> Credential:
    return Credential(
        credential_id=row[0],
        kind=CredentialKind.SERVICE_TOKEN if row[2] == "admin" else CredentialKind.AGENT_KEY,
        subject=row[1],
        secret_hash=row[3],
        created_at=moment(row[4]),
        expires_at=maybe_moment(row[5]),
        revoked_at=maybe_moment(row[6]),
    )
