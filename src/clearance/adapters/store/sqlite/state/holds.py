"""Stored mediations that wait for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from clearance.adapters.store.sqlite.rows import micros
from clearance.adapters.store.sqlite.state.body import Body, written
from clearance.adapters.store.sqlite.state.database import Database, count_change, taken
from clearance.adapters.store.sqlite.state.schema import HOLDS, IS_OPEN
from clearance.core.model import Hold
from clearance.ports import HoldQuery

# ruff: noqa: S608 - every query is put together from words of this file; values are bound
# `INDEXED BY` where the planner, which knows no numbers of rows, may take another index or none.
SELECT: Final = "SELECT body FROM holds WHERE hold_id = ?"
OPEN: Final = (
    "SELECT body FROM holds INDEXED BY holds_open"
    f" WHERE agent = ? AND run_id = ? AND call_hash = ? AND {IS_OPEN}"
    " ORDER BY created_at DESC, hold_id DESC LIMIT 1"
)
OVERDUE: Final = (
    f"SELECT body FROM holds INDEXED BY holds_overdue WHERE expires_at <= ? AND {IS_OPEN}"
    " ORDER BY expires_at, hold_id LIMIT ?"
)
SWAP: Final = """
UPDATE holds SET
    status = ?, agent = ?, run_id = ?, call_hash = ?, created_at = ?, expires_at = ?, version = ?, body = ?
WHERE hold_id = ? AND version = ?"""
_BODY: Final = Body(Hold)


class SqliteHolds:
    """HoldStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> int:
        return self._database.revision(HOLDS)

    def add_hold(self, hold: Hold) -> None:
        insert = "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        with self._database.writing("store the hold") as connection:
            with taken("A hold of this id exists already."):
                connection.execute(insert, (hold.hold_id, *_columns(hold)))
            count_change(connection, HOLDS)

    def hold(self, hold_id: str) -> Hold | None:
        return next(iter(self._found(SELECT, hold_id)), None)

    def holds(self, query: HoldQuery) -> list[Hold]:
        select, values = listing(query)
        return self._found(select, *values)

    def open_hold(self, agent: str, run_id: str, call_hash: str) -> Hold | None:
        return next(iter(self._found(OPEN, agent, run_id, call_hash)), None)

    def overdue_holds(self, at: datetime, *, limit: int = 200) -> list[Hold]:
        return self._found(OVERDUE, micros(at), max(limit, 0))

    def swap_hold(self, hold: Hold) -> bool:
        values = (*_columns(hold), hold.hold_id, hold.version - 1)
        with self._database.writing("store the hold") as connection:
            if connection.execute(SWAP, values).rowcount == 0:
                return False
            count_change(connection, HOLDS)
            return True

    def _found(self, select: str, *values: object) -> list[Hold]:
        return [_BODY.read(row[0]) for row in self._database.rows(select, *values)]


def _columns(hold: Hold) -> tuple[object, ...]:
    return (
        hold.status.value,
        hold.agent,
        hold.run_id,
        hold.call_hash,
        micros(hold.created_at),
        micros(hold.expires_at),
        hold.version,
        written(hold),
    )


def listing(query: HoldQuery) -> tuple[str, list[object]]:
    """The query for a page of holds, newest first."""
    given = {
        "status = ?": query.status and query.status.value,
        "agent = ?": query.agent,
        "run_id = ?": query.run_id,
        "created_at < ?": query.before and micros(query.before),
    }
    tests = [test for test, value in given.items() if value not in (None, "")]
    where = f"WHERE {' AND '.join(tests)}" if tests else ""
    select = f"SELECT body FROM holds {where} ORDER BY created_at DESC, hold_id DESC LIMIT ?"
    values: list[object] = [value for value in given.values() if value not in (None, "")]
    return select, [*values, max(query.limit, 0)]
