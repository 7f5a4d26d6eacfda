"""Counts what a request would touch, by doing it in a transaction that is always taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import apsw
from msgspec.structs import replace

from clearance.adapters.systems.sqlite.attempt import (
    Attempt,
    Statement,
    begin_write,
    radius_of,
    set_savepoint,
)
from clearance.adapters.systems.sqlite.attempt_copy import count_rows
from clearance.adapters.systems.sqlite.connection import environment_of, quoted
from clearance.adapters.systems.sqlite.counting import deferred_radius, measured, run_counted, run_reading
from clearance.adapters.systems.sqlite.options import Target
from clearance.adapters.systems.sqlite.reading import Reading, read_statement
from clearance.adapters.systems.sqlite.schema import Table, read_table
from clearance.core.model import (
    Classification,
    EffectClass,
    Exactness,
    Operation,
    Radius,
    Request,
    Resource,
    Touch,
)
from clearance.core.model.effects import unknown
from clearance.errors import RecoveryError
from clearance.ports import Measured

_TEXTS: Final = ("sql", "query", "statement")
_PARAMETERS: Final = ("parameters", "params")
_AT_ONCE: Final = 500  # keys in one statement; SQLite takes 32766 by default
_EFFECTS: Final = {
    Operation.READ: EffectClass.READ,
    Operation.CREATE: EffectClass.WRITE,
    Operation.UPDATE: EffectClass.WRITE,
    Operation.DELETE: EffectClass.DELETE,
    Operation.DDL: EffectClass.DDL,
}


def statement_of(request: Request) -> str | None:
    """The text of the call, where it has one."""
    for name in _TEXTS:
        value = request.action.arguments.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return None


def parameters_of(request: Request) -> Any:
    """Whatever stands beside the text; SQLite says whether it fits."""
    for name in _PARAMETERS:
        value = request.action.arguments.get(name)
        if isinstance(value, list | dict):
            return value
    return None


def measure_statement(target: Target, connection: apsw.Connection, request: Request, text: str) -> Measured:
    """What cannot be taken back is not run: it is unknown."""
    reading = read_statement(connection, text)
    environment = environment_of(target, connection)
    made = Statement(text=text, parameters=parameters_of(request), reading=reading, snapshot_id="")
    if reading.refused or reading.error is not None or not reading.can_be_rolled_back:
        return measured(target, reading, deferred_radius(target, made), environment=environment)
    try:
        if reading.classification.only_reads:
            radius = run_reading(target, connection, made).radius
        else:
            begin_write(connection)
            set_savepoint(connection)
            radius = run_counted(target, connection, made, has_changes=False).radius
    except (apsw.ConstraintError, apsw.SQLError, apsw.MismatchError, apsw.BindingsError, TypeError) as error:
        why = f"its rehearsal failed ({type(error).__name__})"
        radius = replace(deferred_radius(target, made), unknown=(why,))
    finally:
        take_back(connection)
    return measured(target, reading, radius, environment=environment)


def take_back(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def measure_records(
    target: Target, connection: apsw.Connection, request: Request, names: Sequence[str]
) -> Measured:
    """Rows by their keys, or whole tables; a removal is rehearsed, so that what cascades is counted."""
    operation = request.action.operation
    touches: list[Touch] = []
    missing: list[str] = []
    try:
        for name in names:
            table = read_table(connection, name)
            if table is None or table.kind == "view":
                missing.append(f"{name}: there is no such table")
            else:
                touches += _records(target, connection, request, table)
    finally:
        take_back(connection)
    effect = _EFFECTS.get(operation, EffectClass.UNKNOWN)
    found = (
        Classification(effects=frozenset({effect}), unknown=tuple(missing)) if names else unknown("no name")
    )
    statement = Statement(text="", parameters=None, reading=Reading(classification=found), snapshot_id="")
    radius = radius_of(target, statement, tuple(touches), how="keys")
    environment = environment_of(target, connection)
    resources = tuple(
        Resource(kind="sqlite", name=f"{target.name}/{touch.resource}", environment=environment)
        for touch in touches
    )
    reached = replace(_with_reach(radius, target), environment=environment)
    return Measured(radius=reached, resources=resources)


def _with_reach(radius: Radius, target: Target) -> Radius:
    """Rows that are named can be kept whole; what the call does with them is not known here."""
    return replace(
        radius, irreversible=(f"rows that the call adds to `{target.name}` are not known beforehand",)
    )


def _records(target: Target, connection: apsw.Connection, request: Request, table: Table) -> Iterator[Touch]:
    operation = request.action.operation
    keys = keys_of(request)
    if keys is None:
        count = count_rows(connection, table.name)
        yield Touch(resource=table.name, operation=operation, count=count, exactness=Exactness.BOUND)
        return
    if operation is Operation.DELETE:
        yield from removal(target, connection, table, keys).radius.touches
        return
    found = rows_by_key(connection, table, keys)
    sample = tuple(str(key) for key in keys[:5])
    yield Touch(resource=table.name, operation=operation, count=len(found), sample=sample)


def removal(target: Target, connection: apsw.Connection, table: Table, keys: Sequence[Any]) -> Attempt:
    """DELETE of the keyed rows inside the open transaction, which the caller takes back."""
    if len(keys) > target.options.most_rows:
        raise RecoveryError(
            f"more than {target.options.most_rows} keys: name the table instead, or raise `most_rows`"
        )
    marks = ", ".join("?" * len(keys))
    text = f"DELETE FROM main.{quoted(table.name)} WHERE {key_column(table)} IN ({marks})"  # noqa: S608
    if not connection.in_transaction:
        begin_write(connection)
        set_savepoint(connection)
    reading = read_statement(connection, text)
    made = Statement(text=text, parameters=tuple(keys), reading=reading, snapshot_id="")
    return run_counted(target, connection, made, has_changes=False)


def keys_of(request: Request) -> list[Any] | None:
    """None where the call names no records. Raises RecoveryError for keys that are no plain values."""
    given = request.action.arguments.get("record_ids")
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(key, int | str) for key in given):
        raise RecoveryError("`record_ids` must be a list of numbers and texts: one for each row")
    return list(dict.fromkeys(given))


def key_column(table: Table) -> str:
    """Raises RecoveryError where one value does not name a row."""
    if len(table.key) == 1:
        return quoted(table.columns[table.key[0]])
    if not table.key and table.rowid is not None:
        return table.rowid
    raise RecoveryError(f"{table.name}: its key has several columns; `record_ids` cannot name its rows")


def rows_by_key(
    connection: apsw.Connection, table: Table, keys: Sequence[Any]
) -> list[tuple[int | None, Any]]:
    """The rowid, where there is one, and the stored columns of each row that exists."""
    columns = ", ".join(map(quoted, table.columns))
    rowid = table.rowid or "NULL"
    found = []
    for start in range(0, len(keys), _AT_ONCE):
        part = tuple(keys[start : start + _AT_ONCE])
        marks = ", ".join("?" * len(part))
        text = (
            f"SELECT {rowid}, {columns} FROM main.{quoted(table.name)} "  # noqa: S608
            f"WHERE {key_column(table)} IN ({marks})"
        )
        found += [(row[0], tuple(row[1:])) for row in connection.execute(text, part)]
    return found
