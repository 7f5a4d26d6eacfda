"""Running one statement behind a savepoint, between two readings of the counters. Decides nothing."""

# ruff: noqa: S608  names come quoted from the catalogue, numbers from the guard; values are parameters

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import psycopg
from msgspec import Struct
from msgspec.structs import replace

from clearance.adapters.systems.postgres.connection import Connection, Server, reached, sql
from clearance.adapters.systems.postgres.counters import WATCHED, Reading, difference, reading
from clearance.adapters.systems.postgres.radius import Captured, Found, Rows
from clearance.errors import SystemUnavailableError

Cursor = psycopg.Cursor[Any]
_COUNTS: Final = sql("counts")
_STATE: Final = sql("state")
SAVEPOINT: Final = "clearance_attempt"
_BACK: Final = f"ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}".encode()
_NAMES: Final = """
SELECT c.oid, pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s) AND c.relkind IN ('r', 'p', 'm')
  AND n.nspname NOT IN ('pg_toast', 'pg_catalog', 'clearance_guard')
"""
_TOO_MANY = "CLG01"  # raised by the capture triggers


class Run(Struct, frozen=True, kw_only=True):
    """What came of one run. `number` is the snapshot's in the guard, 0 where nothing could be captured."""

    cursor: Cursor
    found: Found
    number: int


class Runner:
    """Runs statements on one connection. Between calls it remembers which counters are not zero."""

    def __init__(self, connection: Connection, server: Server, *, most_rows: int) -> None:
        self._connection = connection
        self._server = server
        self._most_rows = most_rows
        self._known: set[int] = set()

    def read(self, statement: str, parameters: Any) -> Cursor:
        """Run where the engine itself refuses every write; the savepoint is gone afterwards."""
        cursor: Cursor = psycopg.RawCursor(self._connection)
        try:
            with self._connection.pipeline():
                self._connection.execute(f"SAVEPOINT {SAVEPOINT}")
                self._connection.execute("SET LOCAL transaction_read_only = on")
                cursor.execute(statement, parameters, prepare=False)
        finally:
            self.back()
        return cursor

    def write(self, statement: str, parameters: Any, *, snapshot_id: str) -> Run:
        """Run, count, and leave the savepoint standing. Raises the statement's own error, taken back."""
        done = self._once(statement, parameters, snapshot_id=snapshot_id, rows={})
        unseen = self._unseen(done)
        if not unseen:
            return done
        self.back()
        rows = self._rows(unseen)
        done = self._once(statement, parameters, snapshot_id=snapshot_id, rows=rows)
        return self._with_rows_left(done)

    def parse(self, statement: str) -> None:
        """Raises the driver's error where the server cannot read the statement. Runs nothing."""
        with reached("set a savepoint"):
            self._connection.execute(f"SAVEPOINT {SAVEPOINT}")
        result = self._connection.pgconn.prepare(b"", statement.encode("utf-8", "replace"))
        self.back()
        if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(result, "utf-8")

    def back(self) -> None:
        """To before the run. Also where the connection broke: then there is nothing to take back.

        Sent beside psycopg's own execute, which forgets every prepared statement at the word ROLLBACK.
        """
        if self._connection.closed:
            return
        result = self._connection.pgconn.exec_(_BACK)
        if result.status != psycopg.pq.ExecStatus.COMMAND_OK and not self._connection.closed:
            with reached("take a statement back"):
                raise psycopg.errors.error_from_result(result, "utf-8")

    def keep(self) -> None:
        with reached("keep a statement"):
            self._connection.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")

    def _once(self, statement: str, parameters: Any, *, snapshot_id: str, rows: Mapping[int, Rows]) -> Run:
        cursor: Cursor = psycopg.RawCursor(self._connection)
        armed = None
        try:
            with self._connection.pipeline():
                self._connection.execute(f"SAVEPOINT {SAVEPOINT}")
                before = self._ask_reading()
                if self._server.guarded:
                    armed = self._arm(snapshot_id)
                cursor.execute(statement, parameters, prepare=False)
                # What is deferred to COMMIT would be counted and captured too late.
                self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                after = self._ask_reading()
                captured = self._ask_captured()
            was, now = _reading(before), _reading(after)
        except psycopg.Error as error:
            self.back()
            _refuse(error, self._most_rows)
            raise
        self._known.update(relid for relid, table in now.tables.items() if table.written)
        return Run(
            cursor=cursor,
            found=Found(
                written=difference(was, now),
                captured=_captured(captured),
                rows=rows,
                counts=self._server.counts,
            ),
            number=int(armed.fetchone()[0]) if armed is not None else 0,  # type: ignore[index]
        )

    def _ask_reading(self) -> tuple[Cursor, Cursor]:
        given = {"database": self._server.database, "known": sorted(self._known)}
        tables = self._connection.execute(_COUNTS, given)
        watched = {"settings": list(WATCHED), "catalogue": list(self._server.catalogue)}
        return tables, self._connection.execute(_STATE, watched)

    def _arm(self, snapshot_id: str) -> Cursor:
        return self._connection.execute(
            "SELECT pg_catalog.set_config('clearance.snapshot', clearance_guard.arm(%s)::text, true),"
            " pg_catalog.set_config('clearance.most_rows', %s, true)",
            (snapshot_id, str(self._most_rows)),
        )

    def _ask_captured(self) -> Cursor | None:
        """Disarmed in any case: what comes next in the transaction belongs to another snapshot, or none."""
        if not self._server.guarded:
            return None
        asked = self._connection.execute(
            "SELECT * FROM clearance_guard.captured("
            "nullif(pg_catalog.current_setting('clearance.snapshot', true), '')::bigint)"
        )
        self._connection.execute("SELECT pg_catalog.set_config('clearance.snapshot', '', true)")
        return asked

    def _unseen(self, done: Run) -> list[int]:
        """Tables held against everybody whose rows no counter and no image tells: count them beforehand."""
        truncated = {one.relid for one in done.found.captured if one.operation == "TRUNCATE"}
        return [
            table.relid
            for table in done.found.written.tables
            if table.exclusive and table.root not in truncated and table.kind in ("", "r", "p", "m")
        ]

    def _rows(self, relids: Collection[int]) -> dict[int, Rows]:
        """Counted in the transaction that will run the statement again; what is new then has none."""
        with reached("count the rows of a table"):
            named = self._connection.execute(_NAMES, (list(relids),)).fetchall()
            return {relid: Rows(name=name, before=self._count(name), after=None) for relid, name in named}

    def _count(self, name: str) -> int:
        row = self._connection.execute(f"SELECT pg_catalog.count(*) FROM ONLY {name}".encode()).fetchone()
        assert row is not None
        return int(row[0])

    def _with_rows_left(self, done: Run) -> Run:
        still = self._rows(done.found.rows)
        rows = {
            relid: replace(was, after=still[relid].before) if relid in still else was
            for relid, was in done.found.rows.items()
        }
        return replace(done, found=replace(done.found, rows=rows))


def _refuse(error: psycopg.Error, most_rows: int) -> None:
    """Raise ours, where it was the guard that failed the statement, or was failed by it."""
    if error.sqlstate == _TOO_MANY:
        raise SystemUnavailableError(
            f"the statement touches more than {most_rows} rows of a table; narrow it, or raise most_rows"
        ) from None
    if error.sqlstate == "42501" and "clearance_guard" in str(error):
        raise SystemUnavailableError(
            "the statement changes what the guard rests on (its role's rights); it was taken back"
        ) from None


def _reading(asked: tuple[Cursor, Cursor]) -> Reading:
    tables, state = asked
    row = state.fetchone()
    assert row is not None
    return reading(tables.fetchall(), row)


def _captured(asked: Cursor | None) -> tuple[Captured, ...]:
    if asked is None:
        return ()
    return tuple(
        Captured(relid=relid, operation=operation, olds=olds, news=news, sound=sound)
        for relid, operation, olds, news, sound in asked.fetchall()
    )
