"""Yeses in advance, and how often each was used."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from clearance.adapters.store.sqlite.rows import Row, micros
from clearance.adapters.store.sqlite.state.body import Body, maybe_micros, maybe_moment, written
from clearance.adapters.store.sqlite.state.database import Database, count_change, taken
from clearance.adapters.store.sqlite.state.schema import GRANTS, IS_USABLE
from clearance.core.model import Grant
from clearance.errors import NotFoundError

# ruff: noqa: S608 - every query is put together from words of this file; values are bound
_COLUMNS: Final = "SELECT used, revoked_at, revoked_by, body FROM grants "
SELECT: Final = _COLUMNS + "WHERE grant_id = ?"
MATCHING: Final = (
    f"{_COLUMNS}INDEXED BY grants_usable WHERE agent = ? AND tool = ? AND expires_at > ? AND {IS_USABLE}"
    " ORDER BY created_at, grant_id"
)
USE: Final = f"UPDATE grants SET used = used + 1 WHERE grant_id = ? AND expires_at > ? AND {IS_USABLE}"
_REVOKE: Final = "UPDATE grants SET revoked_at = ?, revoked_by = ? WHERE grant_id = ? AND revoked_at IS NULL"
_BODY: Final = Body(Grant)


class SqliteGrants:
    """GrantStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> int:
        return self._database.revision(GRANTS)

    def add_grant(self, grant: Grant) -> None:
        with self._database.writing("store the grant") as connection:
            with taken("A grant of this id exists already."):
                insert_grant(connection, grant)
            count_change(connection, GRANTS)

    def grant(self, grant_id: str) -> Grant | None:
        return next(iter(self._found(SELECT, grant_id)), None)

    def grants(self, *, agent: str = "", valid_at: datetime | None = None, limit: int = 1_000) -> list[Grant]:
        select, values = listing(agent, valid_at)
        return self._found(select, *values, max(limit, 0))

    def matching_grants(self, agent: str, tool: str, at: datetime) -> list[Grant]:
        return self._found(MATCHING, agent, tool, micros(at))

    def use_grants(self, grant_ids: tuple[str, ...], at: datetime) -> bool:
        with self._database.writing("count the use of a grant") as connection:
            connection.execute("SAVEPOINT uses")
            for grant_id in dict.fromkeys(grant_ids):  # named twice, it is still one action
                if connection.execute(USE, (grant_id, micros(at))).rowcount == 0:
                    connection.execute("ROLLBACK TO uses")
                    return False
            return True

    def revoke_grant(self, grant_id: str, *, by: str, at: datetime) -> Grant:
        with self._database.writing("revoke the grant") as connection:
            if connection.execute(_REVOKE, (micros(at), by, grant_id)).rowcount:
                count_change(connection, GRANTS)
            row = connection.execute(SELECT, (grant_id,)).fetchone()
            if row is None:
                raise NotFoundError("There is no grant of this id.")
            return _grant(row)

    def _found(self, select: str, *values: object) -> list[Grant]:
        return [_grant(row) for row in self._database.rows(select, *values)]


def insert_grant(connection: sqlite3.Connection, grant: Grant) -> None:
    connection.execute("INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(grant))


def listing(agent: str, valid_at: datetime | None) -> tuple[str, list[object]]:
    """The query for grants, newest first; the limit is its last value."""
    tests: list[str] = []
    values: list[object] = []
    if agent:
        tests.append("agent = ?")
        values.append(agent)
    if valid_at is not None:
        tests.append(f"expires_at > ? AND {IS_USABLE}")
        values.append(micros(valid_at))
    where = f"WHERE {' AND '.join(tests)}" if tests else ""
    if valid_at is not None and not agent:
        where = f"INDEXED BY grants_valid {where}"  # most grants of a store are past
    return f"{_COLUMNS}{where} ORDER BY created_at DESC, grant_id DESC LIMIT ?", values


def _row(grant: Grant) -> tuple[object, ...]:
    return (
        grant.grant_id,
        grant.agent,
        grant.tool,
        grant.most_uses,
        grant.used,
        micros(grant.created_at),
        micros(grant.expires_at),
        maybe_micros(grant.revoked_at),
        grant.revoked_by,
        written(grant),
    )


def _grant(row: Row) -> Grant:
    used, revoked_at, revoked_by, body = row
    return replace(_BODY.read(body), used=used, revoked_at=maybe_moment(revoked_at), revoked_by=revoked_by)
