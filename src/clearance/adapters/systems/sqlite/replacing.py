"""Removes and writes rows of one table, many at a time, in the caller's transaction. Decides nothing.

A conflict resolution that a table declares for itself (`UNIQUE ON CONFLICT REPLACE`) never acts here.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Final

import apsw

from clearance.adapters.systems.sqlite.connection import quoted
from clearance.adapters.systems.sqlite.locating import rows_by_rowid
from clearance.adapters.systems.sqlite.recorder import Row
from clearance.adapters.systems.sqlite.schema import Table

_SAVEPOINT: Final = "clearance_rows"
Placed = tuple[int | None, Row]  # a rowid, where it is known, and the row


def delete_rows(connection: apsw.Connection, table: Table, rows: Sequence[Placed]) -> None:
    """By the rowid, or by the key where there is none."""
    text = f"DELETE FROM main.{quoted(table.name)} WHERE "  # noqa: S608
    if table.rowid is None:
        where = " AND ".join(f"{quoted(table.columns[at])} = ?" for at in table.key)
        connection.executemany(text + where, [tuple(row[at] for at in table.key) for _, row in rows])
    elif rows:
        rowids = array("q", [rowid for rowid, _ in rows if rowid is not None])
        connection.execute(f"{text} {table.rowid} IN carray(?)", (apsw.carray(rowids),))


def insert_rows(
    connection: apsw.Connection, table: Table, rows: Sequence[Placed], *, refuse: Callable[[int], None]
) -> list[int | None]:
    """The rowids they have now, in the same order, each with the one it is to have where that is free.

    `refuse` is told the place of each row that a constraint refuses; the others are written.
    """
    if table.rowid is None or table.is_alias:
        if _at_once(connection, _insertion(table, ()), [row for _, row in rows]):
            return [None if table.rowid is None else row[table.key[0]] for _, row in rows]
    elif _are_free(connection, table, rows):
        text = _insertion(table, (table.rowid,))
        if _at_once(connection, text, [(rowid, *row) for rowid, row in rows]):
            return [rowid for rowid, _ in rows]
    return [
        _one(connection, table, placed, lambda place=place: refuse(place))  # type: ignore[misc]
        for place, placed in enumerate(rows)
    ]


def _are_free(connection: apsw.Connection, table: Table, rows: Sequence[Placed]) -> bool:
    rowids = [rowid for rowid, _ in rows if rowid is not None]
    return len(rowids) == len(rows) and not rows_by_rowid(connection, table, rowids)


def _at_once(connection: apsw.Connection, text: str, values: Sequence[Row]) -> bool:
    """All of them, or none where one is refused."""
    connection.execute(f"SAVEPOINT {_SAVEPOINT}")
    try:
        connection.executemany(text, values)
    except apsw.ConstraintError:
        connection.execute(f"ROLLBACK TO {_SAVEPOINT}; RELEASE {_SAVEPOINT}")
        return False
    connection.execute(f"RELEASE {_SAVEPOINT}")
    return True


def _one(connection: apsw.Connection, table: Table, placed: Placed, refuse: Callable[[], None]) -> int | None:
    rowid, row = placed
    try:
        if table.rowid is None or table.is_alias or not _are_free(connection, table, [placed]):
            connection.execute(_insertion(table, ()), row)
        else:
            connection.execute(_insertion(table, (table.rowid,)), (rowid, *row))
    except apsw.ConstraintError:
        refuse()
        return None
    return connection.last_insert_rowid() if table.rowid is not None else None


def _insertion(table: Table, more: tuple[str, ...]) -> str:
    columns = [*more, *map(quoted, table.columns)]
    marks = ", ".join("?" * len(columns))
    return f"INSERT OR ABORT INTO main.{quoted(table.name)} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
