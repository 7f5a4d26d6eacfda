"""What a database's schema says of its tables, as far as counting and restoring rows need it. Reads only."""

from __future__ import annotations

from typing import Any, Final

import apsw
from msgspec import Struct

from clearance.adapters.systems.sqlite.connection import OWN, quoted

_ROWID_NAMES: Final = ("_rowid_", "rowid", "oid")
_CONTENT_MODULES: Final = ("fts3", "fts4", "fts5", "rtree", "rtree_i32")


class Table(Struct, frozen=True, kw_only=True):
    """`columns` are those that are stored and can be given; `rowid` is the name by which its rowid is read.

    `key` are positions in `columns` of the declared primary key. `is_alias`: the key is the rowid itself.
    """

    name: str
    kind: str  # table, virtual, shadow, view
    columns: tuple[str, ...]
    places: tuple[int, ...]  # where the columns stand in a stored row
    key: tuple[int, ...]
    rowid: str | None
    is_alias: bool
    has_virtual_columns: bool
    has_generated_columns: bool = False  # virtual or stored: a row of the engine's is longer than `columns`

    @property
    def kept_by_rows(self) -> bool:
        """Whether the change hook shows whole rows: not where a column exists only when it is read."""
        return self.kind == "table" and not self.has_virtual_columns and bool(self.rowid or self.key)


def read_table(connection: apsw.Connection, name: str) -> Table | None:
    """A table, virtual table or view of the main database; None where there is none."""
    rows: list[Any] = connection.execute(
        "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND lower(name) = lower(?)",
        (name,),
    ).fetchall()
    if not rows:
        return None
    real, kind, without_rowid = rows[0]
    described = "SELECT name, pk, hidden FROM pragma_table_xinfo(?)"
    columns: list[Any] = connection.execute(described, (real,)).fetchall()
    stored = [(place, column) for place, column in enumerate(columns) if column[2] == 0]
    key = sorted((column[1], at) for at, (_, column) in enumerate(stored) if column[1])
    taken = {column[0].lower() for column in columns}
    free = [word for word in _ROWID_NAMES if word not in taken]
    indexed = connection.execute("SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (real,)).fetchall()
    return Table(
        name=real,
        kind=kind,
        columns=tuple(column[0] for _, column in stored),
        places=tuple(place for place, _ in stored),
        key=tuple(at for _, at in key),
        rowid=None if without_rowid or not free or kind == "view" else free[0],
        is_alias=bool(key) and not without_rowid and not indexed,
        has_virtual_columns=any(column[2] == 2 for column in columns),
        has_generated_columns=len(stored) != len(columns),
    )


def user_tables(connection: apsw.Connection) -> list[str]:
    """Every ordinary and virtual table of the main database that is not ours nor SQLite's."""
    rows = connection.execute(
        "SELECT name FROM pragma_table_list "
        "WHERE schema = 'main' AND type IN ('table', 'virtual') ORDER BY name"
    )
    return [name for (name,) in rows if not is_own(name) and not name.lower().startswith("sqlite_")]


def is_own(name: str) -> bool:
    return name.lower().startswith(OWN)


def keeps_content(connection: apsw.Connection, name: str, *, schema: str = "main") -> bool:
    """Whether a virtual table's rows can be read back and written again through the table itself."""
    row = connection.execute(
        f"SELECT sql FROM {quoted(schema)}.sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)",  # noqa: S608
        (name,),
    ).fetchone()
    if row is None or not row[0]:
        return False
    text = "".join(str(row[0]).lower().split())
    module = text.partition("using")[2].partition("(")[0]
    return module in _CONTENT_MODULES and "content=" not in text


class SchemaObject(Struct, frozen=True, kw_only=True, order=True):
    """One row of the schema that has a text: a table, an index, a view or a trigger."""

    type: str
    name: str
    table: str
    sql: str


def schema_objects(connection: apsw.Connection, *, schema: str = "main") -> frozenset[SchemaObject]:
    """Everything that a statement created. Automatic indexes and shadow tables follow what they belong to."""
    shadows = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = ? AND type = 'shadow'", (schema,)
        )
    }
    rows = connection.execute(
        f"SELECT type, name, tbl_name, sql FROM {quoted(schema)}.sqlite_schema WHERE sql IS NOT NULL"  # noqa: S608
    )
    return frozenset(
        SchemaObject(type=kind, name=name, table=table, sql=sql)
        for kind, name, table, sql in rows
        if not is_own(table) and not name.lower().startswith("sqlite_") and table not in shadows
    )


def sequences(connection: apsw.Connection, *, schema: str = "main") -> dict[str, int]:
    """AUTOINCREMENT's high-water marks; the change hook does not show them."""
    if not connection.table_exists(schema, "sqlite_sequence"):
        return {}
    rows = connection.execute(f"SELECT name, seq FROM {quoted(schema)}.sqlite_sequence")  # noqa: S608
    return {name: seq for name, seq in rows if isinstance(seq, int)}
