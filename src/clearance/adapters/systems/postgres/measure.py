"""Counting what a request would touch: by trying its SQL, or by looking for its records. Keeps nothing."""

# ruff: noqa: S608  names come quoted from the catalogue, numbers from the guard; values are parameters

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from msgspec.structs import replace

from clearance.adapters.systems.postgres.connection import Connection, Server
from clearance.adapters.systems.postgres.session import PostgresSession
from clearance.adapters.systems.postgres.tables import Named, load_table, record_ids
from clearance.core.model import (
    EffectClass,
    Exactness,
    Operation,
    Radius,
    Request,
    Touch,
)
from clearance.errors import SystemUnavailableError
from clearance.ports import Measured

_TEXTS: Final = ("sql", "query", "statement")
_PARAMETERS: Final = ("parameters", "params")
_MOST_TRIED = 10_000  # a whole table is tried up to this; deleting more only to count holds locks too long
_EFFECT: Final = {
    Operation.READ: EffectClass.READ,
    Operation.CREATE: EffectClass.WRITE,
    Operation.UPDATE: EffectClass.WRITE,
    Operation.DELETE: EffectClass.DELETE,
    Operation.DDL: EffectClass.DDL,
}


class Measuring:
    """One measurement on a connection of its own, which is rolled back whatever happens."""

    def __init__(
        self, session: PostgresSession, connection: Connection, *, server: Server, scratch: str
    ) -> None:
        self._session = session
        self._connection = connection
        self._server = server
        self._scratch = scratch  # a snapshot id that never reaches a commit

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        arguments = request.action.arguments
        try:
            text = next((arguments[key] for key in _TEXTS if isinstance(arguments.get(key), str)), None)
            if text is not None:
                parameters = next((arguments[key] for key in _PARAMETERS if key in arguments), None)
                return self._tried(text, parameters)
            return self._records(request.action.operation, names, record_ids(arguments))
        finally:
            self._session.rollback()

    def _tried(self, text: str, parameters: Any) -> Measured:
        try:
            return self._session.attempt(text, parameters, snapshot_id=self._scratch)
        except psycopg.Error as error:
            code = error.sqlstate or type(error).__name__
            classified = self._session.classify(text)
            why = (f"the statement fails ({code}), so nothing could be counted",)
            return Measured(
                radius=self._radius(classified.effects | {EffectClass.UNKNOWN}, (), unknown=why),
                operation=classified.operation,
            )

    def _records(self, operation: Operation, names: Sequence[str], ids: tuple[str, ...] | None) -> Measured:
        touches: list[Touch] = []
        unknown: list[str] = []
        effects: set[EffectClass] = {_EFFECT.get(operation, EffectClass.UNKNOWN)}
        radii: list[Radius] = []
        for name in names:
            try:
                radius = self._of_table(operation, name, ids)
            except psycopg.Error as error:
                self._session.rollback()
                radius = self._unknown(operation, name, f"{name} could not be counted ({error.sqlstate})")
            radii.append(radius)
        for radius in radii:
            touches += radius.touches
            unknown += radius.unknown
            effects |= radius.effects
        lost = tuple(dict.fromkeys(line for radius in radii for line in radius.irreversible))
        how = radii[0].how if len({radius.how for radius in radii}) == 1 else "records by key"
        whole = self._radius(frozenset(effects), tuple(touches), unknown=tuple(unknown))
        return Measured(radius=replace(whole, how=how, irreversible=lost))

    def _of_table(self, operation: Operation, name: str, ids: tuple[str, ...] | None) -> Radius:
        table = load_table(self._connection, name)
        if table is None:
            return self._unknown(operation, name, f"{name} is no table of this database")
        if ids is not None and not table.key:
            return self._unknown(operation, name, f"{table.name} has no primary key of one column")
        found = self._count(table, ids)
        if operation is Operation.DELETE and found <= _MOST_TRIED:
            self._session.rollback()
            tried = self._deleted(table, ids)
            if tried is not None:
                return tried
        return self._counted(operation, table, found)

    def _deleted(self, table: Named, ids: tuple[str, ...] | None) -> Radius | None:
        """The deletion itself, taken back: it alone shows what follows. None where it may not be tried."""
        query = f"DELETE FROM {table.source} t WHERE {table.chosen(ids, alias='t')}"
        given = {"ids": list(ids)} if ids is not None else {}
        try:
            radius = self._session.attempt(query, given, snapshot_id=self._scratch).radius
        except (psycopg.IntegrityError, SystemUnavailableError):
            return None
        finally:
            self._session.rollback()
        return None if radius.count is None else radius

    def _counted(self, operation: Operation, table: Named, found: int) -> Radius:
        exactness = Exactness.EXACT if operation is Operation.READ else Exactness.BOUND
        count: int | None = found
        unknown: tuple[str, ...] = ()
        match operation:
            case Operation.READ:
                pass
            case Operation.CREATE:
                count, exactness = None, Exactness.UNKNOWN
                unknown = (f"how many rows {table.name} would gain is not said",)
            case _:
                unknown = (f"what follows in other tables from a change of {table.name} was not counted",)
        touch = Touch(resource=table.name, operation=operation, count=count, exactness=exactness)
        effect = _EFFECT.get(operation, EffectClass.UNKNOWN)
        return replace(self._radius(frozenset({effect}), (touch,), unknown=unknown), how="records by key")

    def _count(self, table: Named, ids: tuple[str, ...] | None) -> int:
        query = f"SELECT pg_catalog.count(*) FROM {table.source} t WHERE {table.chosen(ids, alias='t')}"
        row = self._connection.execute(
            query.encode(), {"ids": list(ids)} if ids is not None else {}
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _unknown(self, operation: Operation, name: str, why: str) -> Radius:
        touch = Touch(resource=name, operation=operation, count=None, exactness=Exactness.UNKNOWN)
        return self._radius(frozenset({EffectClass.UNKNOWN}), (touch,), unknown=(why,))

    def _radius(
        self, effects: frozenset[EffectClass], touches: tuple[Touch, ...], *, unknown: tuple[str, ...]
    ) -> Radius:
        return Radius(
            system=self._session.system,
            fingerprint=self._server.fingerprint,
            effects=effects,
            touches=touches,
            how="engine counters",
            unknown=unknown,
        )
