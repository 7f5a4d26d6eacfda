"""Foreign keys that a restore would break: found by SQLite's own check, before against after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
from msgspec import Struct

from clearance.adapters.systems.sqlite.connection import quoted
from clearance.adapters.systems.sqlite.schema import user_tables


class Broken(Struct, frozen=True, kw_only=True):
    """One row whose parent is missing. `rowid` is None in tables without one."""

    child: str
    rowid: int | None
    parent: str
    constraint: int


def broken_references(connection: apsw.Connection, tables: Iterable[str]) -> frozenset[Broken]:
    """In these tables, and in those that refer to them. Reads every row of them."""
    wanted = {name.lower() for name in tables}
    found = set()
    for name in user_tables(connection):
        parents = {
            str(row[2]).lower() for row in connection.execute(f"PRAGMA foreign_key_list({quoted(name)})")
        }
        if not parents or not (name.lower() in wanted or parents & wanted):
            continue
        try:
            rows: list[Any] = connection.execute(f"PRAGMA foreign_key_check({quoted(name)})").fetchall()
        except apsw.SQLError:
            continue  # a reference to a column that is not unique: no statement could check it either
        found |= {Broken(child=row[0], rowid=row[1], parent=row[2], constraint=row[3]) for row in rows}
    return frozenset(found)
