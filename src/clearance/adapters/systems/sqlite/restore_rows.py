"""Puts rows back by their images, in one open transaction. Decides row by row; commits nothing.

Triggers and foreign key actions are off here: what they did has images of its own. Every row that is replaced
is removed first and all are written after that, so that values which were swapped find their places free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import apsw
from msgspec import Struct

from clearance.adapters.systems.sqlite.attempt import key_of
from clearance.adapters.systems.sqlite.connection import quoted
from clearance.adapters.systems.sqlite.images import Head, read_rows
from clearance.adapters.systems.sqlite.recorder import Change, Row, TableChanges, same
from clearance.adapters.systems.sqlite.references import Broken, broken_references
from clearance.adapters.systems.sqlite.schema import Table, read_table
from clearance.core.model import Item, ItemState, RestoreMode
from clearance.errors import RecoveryError

_SAVEPOINT: Final = "clearance_restore"
_TAKEN: Final = "its key was taken since"


class Place(Struct):
    """One row to put back: where it is now, and what is to become of it."""

    table: Table
    change: Change
    state: ItemState = ItemState.RESTORED
    why: str = ""
    rowid: int | None = None
    now: Row | None = None
    new_rowid: int | None = None

    def item(self) -> Item:
        key = key_of(self.table, self.change)
        return Item(resource=self.table.name, key=key, state=self.state, why=self.why)

    def refuse(self, why: str) -> None:
        self.state, self.why = ItemState.CONFLICT, why


def restore_rows(connection: apsw.Connection, head: Head, *, mode: RestoreMode) -> list[Place]:
    """Change what is free of conflict, or nothing: under ALL a single conflict takes everything back."""
    places = list(_places(connection, head))
    _free_own_keys(places)
    names = {place.table.name for place in places}
    before = broken_references(connection, names)
    for _ in range(len(places) + 1):  # every round but the last refuses at least one row more
        connection.execute(f"SAVEPOINT {_SAVEPOINT}")
        wanted = [place for place in places if place.state is ItemState.RESTORED]
        refused = _write(connection, wanted) or _break(connection, wanted, names, before=before)
        conflicts = any(place.state is ItemState.CONFLICT for place in places)
        if not refused and not (conflicts and mode is not RestoreMode.FREE):
            _prove(connection, wanted)
            connection.execute(f"RELEASE {_SAVEPOINT}")
            return places
        connection.execute(f"ROLLBACK TO {_SAVEPOINT}; RELEASE {_SAVEPOINT}")
        if mode is not RestoreMode.FREE:
            return places
    raise RecoveryError("the rows that are free of conflict cannot be told apart: restore all or none")


def _free_own_keys(places: Sequence[Place]) -> None:
    """A key that the action itself rewrote (`x` to `X` where case is folded) was not taken by others."""
    own = {
        (place.table.name, same(place.change.after))
        for place in places
        if place.state is ItemState.RESTORED and place.change.after is not None
    }
    for place in places:
        if place.why == _TAKEN and (place.table.name, same(place.now)) in own:
            place.state, place.why, place.now = ItemState.RESTORED, "", None


def replaced(places: Sequence[Place]) -> list[TableChanges]:
    """The images of what a restore replaced, by which it can be undone."""
    found: dict[str, TableChanges] = {}
    for number, place in enumerate(places):
        if place.state is not ItemState.RESTORED:
            continue
        changes = found.setdefault(place.table.name, TableChanges(table=place.table, rows={}))
        rowid = place.rowid if place.now is not None else place.new_rowid
        changes.rows[number] = Change(rowid=rowid, before=place.now, after=place.change.before)
    return list(found.values())


def _places(connection: apsw.Connection, head: Head) -> Iterable[Place]:
    tables: dict[str, Table | None] = {name.name: read_table(connection, name.name) for name in head.tables}
    for kept, changes in read_rows(connection, head):
        table = tables[kept.name]
        for change in changes:
            if table is None or table.columns != kept.columns:
                yield _without_table(kept.name, kept.columns, change)
            else:
                yield _judged(connection, table, change, has_baseline=head.has_baseline)


def _without_table(name: str, columns: tuple[str, ...], change: Change) -> Place:
    table = Table(
        name=name,
        kind="table",
        columns=columns,
        places=(),
        key=(),
        rowid=None,
        is_alias=False,
        has_virtual_columns=False,
    )
    why = "its table was removed, or its columns were changed since"
    return Place(table=table, change=change, state=ItemState.CONFLICT, why=why)


def _judged(connection: apsw.Connection, table: Table, change: Change, *, has_baseline: bool) -> Place:
    """Whether the row stands as the action left it, as it was before, or otherwise."""
    place = Place(table=table, change=change)
    try:
        place.rowid, place.now = locate(connection, table, change)
    except UnicodeDecodeError:
        place.refuse("changed since")
        return place
    if _equal(place.now, change.before):
        place.state = ItemState.ALREADY
    elif has_baseline and not _equal(place.now, change.after):
        if change.after is None:
            place.refuse(_TAKEN)
        else:
            place.refuse("removed since" if place.now is None else "changed since")
    return place


def _equal(one: Row | None, other: Row | None) -> bool:
    return same(one) == same(other)


def locate(connection: apsw.Connection, table: Table, change: Change) -> tuple[int | None, Row | None]:
    """The row that a change is about, as it is now: by its rowid, or by its key where that went elsewhere."""
    by_rowid = None
    if table.rowid is not None and change.rowid is not None:
        by_rowid = _select(connection, table, f"{table.rowid} = ?", (change.rowid,))
        if table.is_alias:
            return change.rowid, by_rowid
        if by_rowid is not None and (_equal(by_rowid, change.after) or _equal(by_rowid, change.before)):
            return change.rowid, by_rowid
    known = change.after if change.after is not None else change.before
    if known is None or not table.key or any(known[at] is None for at in table.key):
        # Nothing but the rowid names this row. One that was removed may have left its rowid to another row.
        return change.rowid, None if change.after is None else by_rowid
    where = " AND ".join(f"{quoted(table.columns[at])} = ?" for at in table.key)
    found = _select(connection, table, where, tuple(known[at] for at in table.key))
    if found is None or table.rowid is None:
        return None, found
    where_rowid = f"SELECT {table.rowid} FROM main.{quoted(table.name)} WHERE {where}"  # noqa: S608
    rows: list[Any] = connection.execute(where_rowid, tuple(known[at] for at in table.key)).fetchall()
    return int(rows[0][0]), found


def _select(connection: apsw.Connection, table: Table, where: str, values: Row) -> Row | None:
    columns = ", ".join(map(quoted, table.columns))
    text = f"SELECT {columns} FROM main.{quoted(table.name)} WHERE {where}"  # noqa: S608
    found: Row | None = connection.execute(text, values).fetchone()
    return found


def _write(connection: apsw.Connection, places: Sequence[Place]) -> bool:
    """Whether a row was refused."""
    for place in places:
        if place.now is not None:
            _delete(connection, place)
    refused = False
    for place in places:
        if place.change.before is None:
            continue
        try:
            place.new_rowid = _insert(connection, place, place.change.before)
        except apsw.ConstraintError:
            place.refuse("a unique value of it is taken, or a constraint refuses it")
            refused = True
    return refused


def _delete(connection: apsw.Connection, place: Place) -> None:
    table = place.table
    if table.rowid is not None:
        text, values = f"{table.rowid} = ?", (place.rowid,)
    else:
        assert place.now is not None
        text = " AND ".join(f"{quoted(table.columns[at])} = ?" for at in table.key)
        values = tuple(place.now[at] for at in table.key)
    connection.execute(f"DELETE FROM main.{quoted(table.name)} WHERE {text}", values)  # noqa: S608


def _insert(connection: apsw.Connection, place: Place, row: Row) -> int | None:
    """With the rowid that it had, where that is free."""
    table = place.table
    columns, values = list(map(quoted, table.columns)), list(row)
    if table.rowid is not None and not table.is_alias:
        rowid = place.rowid if place.now is not None else place.change.rowid
        if rowid is not None and _select(connection, table, f"{table.rowid} = ?", (rowid,)) is None:
            columns.insert(0, table.rowid)
            values.insert(0, rowid)
    marks = ", ".join("?" * len(columns))
    text = f"INSERT INTO main.{quoted(table.name)} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    connection.execute(text, values)
    return connection.last_insert_rowid() if table.rowid is not None else None


def _break(
    connection: apsw.Connection, places: Sequence[Place], names: set[str], *, before: frozenset[Broken]
) -> bool:
    """Whether a reference would be broken: then the rows at its two ends are in conflict."""
    found = broken_references(connection, names) - before
    for broken in found:
        child = [
            place
            for place in places
            if place.table.name == broken.child
            and place.new_rowid is not None
            and place.new_rowid == broken.rowid
        ]
        if child:
            child[0].refuse("the row that it refers to is gone")
            continue
        ends = (
            {broken.parent.lower(), broken.child.lower()} if broken.rowid is None else {broken.parent.lower()}
        )
        _refuse_all(
            places,
            lambda place, ends=ends: place.table.name.lower() in ends,  # type: ignore[misc]
            why="other rows refer to rows of its table that would be removed",
        )
    return bool(found)


def _refuse_all(places: Sequence[Place], chosen: Callable[[Place], bool], *, why: str) -> None:
    for place in places:
        if chosen(place) and place.now is not None:
            place.refuse(why)


def _prove(connection: apsw.Connection, places: Sequence[Place]) -> None:
    """Read every row again. Raises RecoveryError; the caller's transaction then takes all of it back."""
    for place in places:
        wanted = place.change.before
        if wanted is None:
            probe = Change(rowid=place.rowid, before=None, after=place.now)
            is_right = not _equal(locate(connection, place.table, probe)[1], place.now)
        else:
            probe = Change(rowid=place.new_rowid, before=wanted, after=wanted)
            is_right = _equal(locate(connection, place.table, probe)[1], wanted)
        if not is_right:
            raise RecoveryError(
                f"{place.table.name} {key_of(place.table, place.change)} was not as it was kept after it was "
                "put back: nothing was changed"
            )
