"""Versions of the policies' document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from clearance.adapters.store.sqlite.rows import Row, micros, moment
from clearance.adapters.store.sqlite.state.body import written
from clearance.adapters.store.sqlite.state.database import Database, count_change
from clearance.adapters.store.sqlite.state.schema import POLICIES
from clearance.errors import ConflictError
from clearance.ports import PolicyVersion

_SELECT = "SELECT number, at, by, document FROM policies ORDER BY number DESC LIMIT ?"


class SqlitePolicies:
    """PolicyStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self) -> PolicyVersion | None:
        return next(iter(self.versions(1)), None)

    def revision(self) -> int:
        return self._database.revision(POLICIES)

    def versions(self, limit: int = 50) -> list[PolicyVersion]:
        return [_policy(row) for row in self._database.rows(_SELECT, max(limit, 0))]

    def replace(self, document: dict[str, Any], *, expected: int, by: str, at: datetime) -> PolicyVersion:
        text = written(document)
        with self._database.writing("store the policies") as connection:
            newest = connection.execute("SELECT max(number) FROM policies").fetchone()[0] or 0
            if newest != expected:
                raise ConflictError(
                    f"The policies are at version {newest}, not {expected}: read them anew and try again."
                )
            row = (newest + 1, micros(at), by, text)
            connection.execute("INSERT INTO policies VALUES (?, ?, ?, ?)", row)
            count_change(connection, POLICIES)
        return _policy(row)


def _policy(row: Row) -> PolicyVersion:
    return PolicyVersion(number=row[0], at=moment(row[1]), by=row[2], document=msgspec.json.decode(row[3]))
