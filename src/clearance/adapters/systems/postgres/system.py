"""PostgreSQL behind a configured name: it counts, keeps, puts back. Every call has its own connection."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import psycopg
from msgspec.structs import replace

from clearance.adapters.systems.postgres import keep, measure
from clearance.adapters.systems.postgres.connection import Connection, Server, connect, look, reached
from clearance.adapters.systems.postgres.options import Options
from clearance.adapters.systems.postgres.reader import Reader
from clearance.adapters.systems.postgres.restore import Restorer
from clearance.adapters.systems.postgres.session import PostgresSession
from clearance.adapters.systems.postgres.tables import record_ids
from clearance.core.model import Request, Restored, RestoreMode, Saved
from clearance.errors import RecoveryError
from clearance.ports import Measured, SystemInfo

_CAN: Final = (
    "Counts exactly what a statement writes, through cascades, triggers, functions and partitions.",
    "Puts captured rows back bit by bit, or names the conflicts and changes nothing.",
)
_CANNOT: Final = (
    "Undo changes of the database's shape, of rights, settings or large objects.",
    "Set sequences back, or call back what left the database (NOTIFY, foreign tables, server files).",
    "See what reaches the database by another connection.",
)
_UNGUARDED: Final = "Keep or put back any row: the guard is not installed in this database."
_UNCOUNTED: Final = "Count: track_counts is off on this server."
# Names mean the same whoever wrote them, and rows hidden by a policy are an error, not a gap.
_RECOVERY: Final = {"search_path": "pg_catalog", "row_security": "off"}
_Done = TypeVar("_Done")


class PostgresSystem:
    """ports.System for PostgreSQL."""

    def __init__(self, name: str, options: Options) -> None:
        self._name = name
        self._options = options

    @property
    def name(self) -> str:
        return self._name

    def info(self) -> SystemInfo:
        with self._session_connection() as (_, server):
            lacks = [_UNGUARDED] if not server.guarded else []
            lacks += [_UNCOUNTED] if not server.counts else []
            return SystemInfo(
                name=self._name,
                kind="postgres",
                fingerprint=server.fingerprint,
                environment=server.environment,
                can=_CAN,
                cannot=(*lacks, *_CANNOT),
            )

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        with self._session_connection() as (connection, server):
            reader = Reader(connection)
            session = PostgresSession(
                self._name, connection, server=server, options=self._options, reader=reader
            )
            measuring = measure.Measuring(
                session, connection, server=server, scratch=f"measure-{uuid.uuid4()}"
            )
            measured = measuring.measure(request, names)
            radius = replace(measured.radius, environment=server.environment)
            return replace(measured, radius=radius)

    def save(self, request: Request, names: Sequence[str], *, snapshot_id: str) -> Saved:
        ids = record_ids(request.action.arguments)
        most = self._options.most_rows

        def keeping(connection: Connection, server: Server) -> Saved:
            keep.save(connection, names, ids=ids, snapshot_id=snapshot_id, most=most)
            return self._read(connection, server, snapshot_id)

        return self._recovering("keep rows", keeping)

    def settle(self, snapshot_id: str) -> None:
        self._recovering("settle a snapshot", lambda connection, _: keep.settle(connection, snapshot_id))

    def verify(self, snapshot_id: str) -> Saved:
        return self._recovering(
            "read a snapshot", lambda connection, server: self._read(connection, server, snapshot_id)
        )

    def restore(self, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode) -> Restored:
        def restoring(connection: Connection, _: Server) -> Restored:
            return Restorer(connection, self._options, mode=mode).restore(
                snapshot_id, as_snapshot=as_snapshot
            )

        return self._recovering("put rows back", restoring)

    def forget(self, snapshot_id: str) -> None:
        self._recovering("forget a snapshot", lambda connection, _: keep.forget(connection, snapshot_id))

    def close(self) -> None:
        """Nothing is held between calls."""

    def _read(self, connection: Connection, server: Server, snapshot_id: str) -> Saved:
        return keep.read_whole(connection, snapshot_id, system=self._name, fingerprint=server.fingerprint)

    @contextmanager
    def _session_connection(self) -> Iterator[tuple[Connection, Server]]:
        connection = connect(self._options.main, self._options)
        try:
            yield connection, look(connection, self._options)
        finally:
            connection.close()

    def _recovering(self, what: str, work: Callable[[Connection, Server], _Done]) -> _Done:
        connection = connect(self._options.undo, self._options, settings=_RECOVERY)
        try:
            server = look(connection, self._options)
            if not server.guarded:
                raise RecoveryError(
                    "the guard is not installed in this database: "
                    "run clearance.adapters.systems.postgres.install(dsn)"
                )
            with reached(what):
                try:
                    return work(connection, server)
                except (psycopg.DataError, psycopg.ProgrammingError) as error:
                    if error.sqlstate == "42501":
                        raise
                    raise RecoveryError(f"PostgreSQL could not {what} ({error.sqlstate})") from None
        finally:
            connection.close()
