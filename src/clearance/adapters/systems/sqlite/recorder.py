"""Counts every row that SQLite changes, and keeps it before and after, by the engine's own change hook.

Foreign key actions, triggers and the hidden deletes of REPLACE pass through it. Virtual tables, the schema
and sqlite_sequence do not: who needs those takes a copy of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final

import apsw
import msgspec
from msgspec import Struct

from clearance.adapters.systems.sqlite.schema import Table, is_own, read_table
from clearance.core.model import Operation

Row = tuple[Any, ...]  # SQLite's five storage classes: int, float, str, bytes, None
Identity = int | Row  # a rowid, or the whole primary key where a table has none

_OPERATIONS: Final = {
    apsw.SQLITE_INSERT: Operation.CREATE,
    apsw.SQLITE_UPDATE: Operation.UPDATE,
    apsw.SQLITE_DELETE: Operation.DELETE,
}
_INSERT: Final = apsw.SQLITE_INSERT
_DELETE: Final = apsw.SQLITE_DELETE
# msgpack holds the five storage classes bit for bit: 1 is not 1.0, -0.0 is not 0.0, a blob is not a text.
same: Final = msgspec.msgpack.Encoder().encode


class Change(Struct, array_like=True, gc=False):
    """What one row was before the statement, None where there was none, and what it is after it.

    It holds plain values, so that it cannot be part of a cycle: the collector need not look at it.
    """

    rowid: int | None
    before: Row | None
    after: Row | None


def is_equal(one: Row | None, other: Row | None) -> bool:
    """Bit for bit. What differs to Python differs; what does not may still be 1 and 1.0."""
    return one == other and same(one) == same(other)


class TableChanges(Struct):
    """The net changes of one table, by identity. Nothing is added once `net` was asked for."""

    table: Table
    rows: dict[Identity, Change] = {}
    _net: list[Change] | None = None

    def net(self) -> list[Change]:
        """Without rows that are after it as they were before."""
        if self._net is None:
            self._net = [change for change in self.rows.values() if not is_equal(change.before, change.after)]
        return self._net


class _Seen(Struct):
    """What was seen of one table, and how one event of it is kept. `keep` is None where it cannot be.

    `rows` are those of `changes` where the rowid alone tells them apart and they come whole.
    """

    counts: dict[int, int]
    changes: TableChanges | None = None
    rows: dict[Identity, Change] | None = None
    keep: Callable[[Any, int], None] | None = None


class Stop(Enum):
    """Whether a statement is interrupted once its images are lost. That ends its whole transaction."""

    NEVER = auto()
    WHEN_LOST = auto()


class Recorder:
    """Attached to a connection while one statement runs. Raising into SQLite would end the process."""

    def __init__(self, connection: apsw.Connection, *, most_rows: int, stops: Stop = Stop.NEVER) -> None:
        self.why_not = ""  # why the images are not whole
        self._connection = connection
        self._most_rows = most_rows
        self._stops = stops
        self._tables: dict[str, Table | None] = {}
        self._seen: dict[str, _Seen | None] = {}  # None: ours, not counted

    def learn(self, names: frozenset[str]) -> None:
        """Read the tables' shapes beforehand: inside the hook no statement may run."""
        for name in names:
            table = read_table(self._connection, name)
            if table is not None:
                self._tables[table.name] = table

    def __enter__(self) -> Recorder:
        self._connection.preupdate_hook(self._hook())
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.preupdate_hook(None)

    @property
    def events(self) -> int:
        return sum(self.touched().values())

    @property
    def changes(self) -> dict[str, TableChanges]:
        """Of each table; none where the images are not whole."""
        if self.why_not:
            return {}
        return {name: seen.changes for name, seen in self._seen.items() if seen and seen.changes}

    def touched(self) -> dict[tuple[str, Operation], int]:
        """How many rows of which table, by what was done to them."""
        found = {
            (name, _OPERATIONS[code]): count
            for name, seen in self._seen.items()
            if seen is not None
            for code, count in seen.counts.items()
            if count
        }
        return dict(sorted(found.items()))

    def _hook(self) -> Callable[[Any], None]:
        """It runs once for every row: names are bound beforehand, and nothing is asked of an event twice."""
        tables, meet, give_up = self._seen, self._meet, self._give_up
        left = self._most_rows

        def note(event: Any) -> None:
            nonlocal left
            try:
                if event.database_name != "main":
                    return
                name = event.table_name
                seen = tables[name] if name in tables else meet(name)
                if seen is None:
                    return
                code = event.opcode
                seen.counts[code] += 1
                keep = seen.keep
                if keep is None:
                    return
                if left <= 0:
                    give_up("more rows than are kept one by one")
                    return
                left -= 1
                rows = seen.rows
                rowid = event.rowid
                if rows is None or rowid in rows:
                    keep(event, code)
                elif code == _DELETE:
                    rows[rowid] = Change(rowid, event.old, None)
                elif code == _INSERT:
                    rows[rowid] = Change(rowid, None, event.new)
                elif rowid == event.rowid_new:
                    rows[rowid] = Change(rowid, event.old, event.new)
                else:
                    keep(event, code)
            except BaseException as error:  # an exception in a hook crashes the interpreter (apsw 3.54.1)
                give_up(f"a row of it could not be read ({type(error).__name__})")

        return note

    def _meet(self, name: str) -> _Seen | None:
        """The first row of a table."""
        if is_own(name):
            self._seen[name] = None
            return None
        seen = self._seen[name] = _Seen(counts=dict.fromkeys(_OPERATIONS, 0))
        table = self._tables.get(name)
        if self.why_not:
            return seen
        if table is None or not table.kept_by_rows:
            self._give_up("a table of it shows no whole rows to the change hook")
            return seen
        seen.changes = TableChanges(table=table, rows={})
        seen.keep = _keep_by_identity(seen.changes)
        if table.rowid is not None and not table.has_generated_columns:
            seen.rows = seen.changes.rows
        return seen

    def _give_up(self, why: str) -> None:
        """The statement goes on, counted, unless it is to be run again beside a copy anyway."""
        if self.why_not:
            return
        self.why_not = why
        for seen in self._seen.values():
            if seen is not None:
                seen.changes = seen.rows = seen.keep = None
        if self._stops is Stop.WHEN_LOST:
            self._connection.interrupt()


def _keep_by_identity(changes: TableChanges) -> Callable[[Any, int], None]:
    table = changes.table

    def keep(event: Any, code: int) -> None:
        before = None if code == _INSERT else _stored(table, event.old)
        after = None if code == _DELETE else _stored(table, event.new)
        old, new = (None, None) if table.rowid is None else (event.rowid, event.rowid_new)
        _merge(changes, old, new, table=table, before=before, after=after)

    return keep


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
