"""Counts every row that SQLite changes, and keeps it before and after, by the engine's own change hook.

Foreign key actions, triggers and the hidden deletes of REPLACE pass through it. Virtual tables, the schema
and sqlite_sequence do not: who needs those takes a copy of the file.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import apsw
import msgspec
from msgspec import Struct

from clearance.adapters.systems.sqlite.schema import Table, is_own, read_table
from clearance.core.model import Operation

Row = tuple[Any, ...]  # SQLite's five storage classes: int, float, str, bytes, None
Identity = int | Row  # a rowid, or the whole primary key where a table has none

_OPERATIONS: Final = {
    "INSERT": Operation.CREATE,
    "UPDATE": Operation.UPDATE,
    "DELETE": Operation.DELETE,
}
# msgpack holds the five storage classes bit for bit: 1 is not 1.0, -0.0 is not 0.0, a blob is not a text.
same: Final = msgspec.msgpack.Encoder().encode


class Change(Struct, array_like=True):
    """What one row was before the statement, None where there was none, and what it is after it."""

    rowid: int | None
    before: Row | None
    after: Row | None


class TableChanges(Struct):
    """The net changes of one table, by identity."""

    table: Table
    rows: dict[Identity, Change] = {}

    def net(self) -> list[Change]:
        """Without rows that are after it as they were before."""
        return [
            change
            for change in self.rows.values()
            if (change.before is None) != (change.after is None)
            or (change.before is not None and same(change.before) != same(change.after))
        ]


class Recorder:
    """Attached to a connection while one statement runs. Raising into SQLite would end the process."""

    def __init__(self, connection: apsw.Connection, *, most_rows: int) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.changes: dict[str, TableChanges] = {}
        self.why_not = ""  # why the images are not whole
        self._connection = connection
        self._left = most_rows
        self._tables: dict[str, Table | None] = {}

    def learn(self, names: frozenset[str]) -> None:
        """Read the tables' shapes beforehand: inside the hook no statement may run."""
        for name in names:
            table = read_table(self._connection, name)
            if table is not None:
                self._tables[table.name] = table

    def __enter__(self) -> Recorder:
        self._connection.preupdate_hook(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.preupdate_hook(None)

    @property
    def events(self) -> int:
        return sum(self.counts.values())

    def touched(self) -> dict[tuple[str, Operation], int]:
        """How many rows of which table, by what was done to them."""
        return {(name, _OPERATIONS[op]): count for (name, op), count in sorted(self.counts.items())}

    def _note(self, event: Any) -> None:
        try:
            name = event.table_name
            if event.database_name != "main" or is_own(name):
                return
            self.counts[(name, event.op)] += 1
            if not self.why_not:
                self._keep(name, event)
        except BaseException as error:  # an exception in this hook crashes the interpreter (apsw 3.54.1)
            self._give_up(f"a row of it could not be read ({type(error).__name__})")

    def _keep(self, name: str, event: Any) -> None:
        table = self._tables.get(name)
        if table is None or not table.kept_by_rows:
            self._give_up("a table of it shows no whole rows to the change hook")
            return
        self._left -= 1
        if self._left < 0:
            self._give_up("more rows than are kept one by one")
            return
        changes = self.changes.get(name)
        if changes is None:
            changes = self.changes[name] = TableChanges(table=table, rows={})
        before = None if event.op == "INSERT" else _stored(table, event.old)
        after = None if event.op == "DELETE" else _stored(table, event.new)
        if table.rowid is None:
            _merge(changes, None, None, table=table, before=before, after=after)
        else:
            _merge(changes, event.rowid, event.rowid_new, table=table, before=before, after=after)

    def _give_up(self, why: str) -> None:
        self.why_not = self.why_not or why
        self.changes.clear()


def _stored(table: Table, row: Row) -> Row:
    """Without generated columns, which follow from the others."""
    return row if len(row) == len(table.places) else tuple(row[place] for place in table.places)


def _merge(
    changes: TableChanges,
    old: int | None,
    new: int | None,
    *,
    table: Table,
    before: Row | None,
    after: Row | None,
) -> None:
    """Fold one event into the net: an update that moves a row is its end here and its beginning there."""
    if before is not None:
        place = _identity(table, old, before)
        known = changes.rows.get(place)
        if known is None:
            changes.rows[place] = Change(rowid=old, before=before, after=None)
        else:
            known.after = None
    if after is not None:
        place = _identity(table, new, after)
        known = changes.rows.get(place)
        if known is None:
            changes.rows[place] = Change(rowid=new, before=None, after=after)
        else:
            known.after = after


def _identity(table: Table, rowid: int | None, row: Row) -> Identity:
    """For tables without a rowid the key's bytes: collations that fold case are told apart only by them."""
    if rowid is not None:
        return rowid
    return (same(tuple(row[at] for at in table.key)),)
