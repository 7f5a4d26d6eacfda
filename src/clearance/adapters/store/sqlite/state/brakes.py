"""Stops and broken glass."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from clearance.adapters.store.sqlite.rows import micros
from clearance.adapters.store.sqlite.state.body import Body, written
from clearance.adapters.store.sqlite.state.database import Database, count_change, taken
from clearance.adapters.store.sqlite.state.schema import BRAKES
from clearance.core.model import BreakGlass, Stop, StopKind
from clearance.core.policy.posture import tightened
from clearance.errors import NotFoundError

GLASSES: Final = "SELECT body FROM glasses ORDER BY at DESC, glass_id DESC"
OPEN_GLASSES: Final = (
    "SELECT body FROM glasses INDEXED BY glasses_ends WHERE ends_at > ? ORDER BY at DESC, glass_id DESC"
)
_GLASS: Final = "SELECT body FROM glasses WHERE glass_id = ?"
_SET: Final = "INSERT INTO stops VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body"
_STOP: Final = "SELECT body FROM stops WHERE kind = ? AND name = ?"
_LIFT: Final = "DELETE FROM stops WHERE kind = ? AND name = ? RETURNING body"
_STOPS: Final = Body(Stop)
_GLASSES: Final = Body(BreakGlass)


class SqliteBrakes:
    """BrakeStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> int:
        return self._database.revision(BRAKES)

    def stops(self) -> list[Stop]:
        rows = self._database.rows("SELECT body FROM stops ORDER BY kind, name")
        return [_STOPS.read(row[0]) for row in rows]

    def set_stop(self, stop: Stop) -> None:
        with self._database.writing("set the brake") as connection:
            _put(connection, stop)

    def tighten_stop(self, stop: Stop) -> Stop | None:
        with self._database.writing("set the brake") as connection:
            row = connection.execute(_STOP, (stop.kind.value, stop.name)).fetchone()
            stricter = tightened(None if row is None else _STOPS.read(row[0]), stop)
            if stricter is not None:
                _put(connection, stricter)
            return stricter

    def lift_stop(self, kind: StopKind, name: str) -> Stop:
        with self._database.writing("lift the brake") as connection:
            rows = connection.execute(_LIFT, (kind.value, name)).fetchall()
            if not rows:
                raise NotFoundError("There is no such stop.")
            count_change(connection, BRAKES)
            return _STOPS.read(rows[0][0])

    def glasses(self, *, open_at: datetime | None = None) -> list[BreakGlass]:
        if open_at is None:
            rows = self._database.rows(GLASSES)
        else:
            rows = self._database.rows(OPEN_GLASSES, micros(open_at))
        return [_GLASSES.read(row[0]) for row in rows]

    def add_glass(self, glass: BreakGlass) -> None:
        row = (glass.glass_id, micros(glass.at), _ends(glass), written(glass))
        with self._database.writing("store the emergency access") as connection:
            with taken("An emergency access of this id exists already."):
                connection.execute("INSERT INTO glasses VALUES (?, ?, ?, ?)", row)
            count_change(connection, BRAKES)

    def end_glass(self, glass_id: str, at: datetime) -> BreakGlass:
        update = "UPDATE glasses SET ends_at = ?, body = ? WHERE glass_id = ?"
        with self._database.writing("end the emergency access") as connection:
            row = connection.execute(_GLASS, (glass_id,)).fetchone()
            if row is None:
                raise NotFoundError("There is no emergency access of this id.")
            glass = _GLASSES.read(row[0])
            if glass.ended_at is None:
                glass = replace(glass, ended_at=at)
                connection.execute(update, (_ends(glass), written(glass), glass_id))
                count_change(connection, BRAKES)
            return glass


def _put(connection: sqlite3.Connection, stop: Stop) -> None:
    connection.execute(_SET, (stop.kind.value, stop.name, written(stop)))
    count_change(connection, BRAKES)


def _ends(glass: BreakGlass) -> int:
    return micros(glass.until if glass.ended_at is None else min(glass.until, glass.ended_at))
