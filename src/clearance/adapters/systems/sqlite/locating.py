"""Finds the rows that images are about, as they are now: many at a time, by rowid or key. Changes nothing."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import apsw

from clearance.adapters.systems.sqlite.connection import quoted
from clearance.adapters.systems.sqlite.recorder import Change, Row, is_equal
from clearance.adapters.systems.sqlite.schema import Table

Found = tuple[int | None, Row | None]  # the rowid, and the row where there is one


def locate(connection: apsw.Connection, table: Table, change: Change) -> Found:
    """The row that a change is about: by its rowid, or by its key where that went elsewhere."""
    return locate_all(connection, table, [change])[0]


def locate_all(connection: apsw.Connection, table: Table, changes: Sequence[Change]) -> list[Found]:
    """One for each change. Raises UnicodeDecodeError where a text of any of them is not UTF-8."""
    if table.rowid is None:
        return [_by_key(connection, table, change, None) for change in changes]
    wanted = [change.rowid for change in changes if change.rowid is not None]
    if table.is_alias and len(wanted) == len(changes):
        return list(zip(wanted, _rows_at(connection, table, wanted), strict=True))
    rows = rows_by_rowid(connection, table, wanted)
    return [_by_either(connection, table, change, rows) for change in changes]


def rows_by_rowid(connection: apsw.Connection, table: Table, rowids: Sequence[int]) -> dict[int, Row]:
    """Those of them that exist."""
    found = dict(zip(rowids, _rows_at(connection, table, rowids), strict=True))
    return {rowid: row for rowid, row in found.items() if row is not None}


def _rows_at(connection: apsw.Connection, table: Table, rowids: Sequence[int]) -> list[Row | None]:
    """In the same order: the engine walks the list, which costs half of asking for each."""
    if not rowids:
        return []
    wanted = array("q", rowids)
    columns = [f"kept.{name}" for name in (table.rowid, *map(quoted, table.columns))]
    if table.is_alias:
        del columns[0]
    text = (
        f"SELECT {', '.join(columns)} FROM carray(?) AS wanted "  # noqa: S608
        f"LEFT JOIN main.{quoted(table.name)} AS kept ON kept.{table.rowid} = wanted.value"
    )
    rows = connection.execute(text, (apsw.carray(wanted),))
    if table.is_alias:
        key = table.key[0]
        return [None if row[key] is None else row for row in rows]
    return [None if row[0] is None else row[1:] for row in rows]


def _by_either(connection: apsw.Connection, table: Table, change: Change, rows: dict[int, Row]) -> Found:
    by_rowid = None if change.rowid is None else rows.get(change.rowid)
    if table.is_alias and change.rowid is not None:
        return change.rowid, by_rowid
    if by_rowid is not None and (is_equal(by_rowid, change.after) or is_equal(by_rowid, change.before)):
        return change.rowid, by_rowid
    return _by_key(connection, table, change, by_rowid)


def _by_key(connection: apsw.Connection, table: Table, change: Change, by_rowid: Row | None) -> Found:
    known = change.after if change.after is not None else change.before
    if known is None or not table.key or any(known[at] is None for at in table.key):
        # Nothing but the rowid names this row. One that was removed may have left its rowid to another row.
        return change.rowid, None if change.after is None else by_rowid
    key = tuple(known[at] for at in table.key)
    where = " AND ".join(f"{quoted(table.columns[at])} = ?" for at in table.key)
    columns = [table.rowid] if table.rowid is not None else ["NULL"]
    columns += map(quoted, table.columns)
    text = f"SELECT {', '.join(columns)} FROM main.{quoted(table.name)} WHERE {where}"  # noqa: S608
    row = connection.execute(text, key).fetchone()
    return (None, None) if row is None else (row[0], row[1:])
