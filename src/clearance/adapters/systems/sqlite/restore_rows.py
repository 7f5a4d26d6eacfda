"""Puts rows back by their images, in one open transaction. Decides row by row; commits nothing.

Triggers and foreign key actions are off here: what they did has images of its own. Every row that is replaced
is removed first and all are written after that, so that values which were swapped find their places free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

import apsw
from msgspec import Struct

from clearance.adapters.systems.sqlite.attempt import key_of
from clearance.adapters.systems.sqlite.images import Head, TableHead, read_rows
from clearance.adapters.systems.sqlite.locating import locate_all
from clearance.adapters.systems.sqlite.recorder import Change, Row, TableChanges, is_equal, same
from clearance.adapters.systems.sqlite.references import Broken, broken_references
from clearance.adapters.systems.sqlite.replacing import delete_rows, insert_rows
from clearance.adapters.systems.sqlite.schema import Table, read_table
from clearance.core.model import Item, ItemState, RestoreMode
from clearance.errors import RecoveryError

_SAVEPOINT: Final = "clearance_restore"
_TAKEN: Final = "its key was taken since"
# Asked for several times a row: in Python 3.11 a member of an enumeration takes four times as long to find.
_RESTORED: Final = ItemState.RESTORED
_CONFLICT: Final = ItemState.CONFLICT


class Place(Struct, gc=False):
    """One row to put back: where it is now, and what is to become of it."""

    table: Table
    change: Change
    state: ItemState = _RESTORED
    why: str = ""
    rowid: int | None = None
    now: Row | None = None
    new_rowid: int | None = None

    def item(self) -> Item:
        key = key_of(self.table, self.change)
        return Item(resource=self.table.name, key=key, state=self.state, why=self.why)

    def refuse(self, why: str) -> None:
        self.state, self.why = _CONFLICT, why


Group = tuple[Table, list[Place]]


def restore_rows(connection: apsw.Connection, head: Head, *, mode: RestoreMode) -> list[Place]:
    """Change what is free of conflict, or nothing: under ALL a single conflict takes everything back."""
    places = list(_places(connection, head))
    _free_own_keys(places)
    names = {table.name for table, _ in _by_table(places)}
    before = broken_references(connection, names)
    for _ in range(len(places) + 1):  # every round but the last refuses at least one row more
        connection.execute(f"SAVEPOINT {_SAVEPOINT}")
        wanted = [place for place in places if place.state is _RESTORED]
        groups = list(_by_table(wanted))
        refused = _write(connection, groups) or _break(connection, wanted, names, before=before)
        conflicts = any(place.state is _CONFLICT for place in places)
        if not refused and not (conflicts and mode is not RestoreMode.FREE):
            _prove(connection, groups)
            connection.execute(f"RELEASE {_SAVEPOINT}")
            return places
        connection.execute(f"ROLLBACK TO {_SAVEPOINT}; RELEASE {_SAVEPOINT}")
        if mode is not RestoreMode.FREE:
            return places
    raise RecoveryError("the rows that are free of conflict cannot be told apart: restore all or none")


def _free_own_keys(places: Sequence[Place]) -> None:
    """A key that the action itself rewrote (`x` to `X` where case is folded) was not taken by others."""
    if not any(place.why == _TAKEN for place in places):
        return
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
    restored = [place for place in places if place.state is _RESTORED]
    return [
        TableChanges(
            table=table,
            rows={
                number: Change(
                    place.rowid if place.now is not None else place.new_rowid, place.now, place.change.before
                )
                for number, place in enumerate(group)
            },
        )
        for table, group in _by_table(restored)
    ]


def _places(connection: apsw.Connection, head: Head) -> Iterator[Place]:
    tables: dict[str, Table | None] = {name.name: read_table(connection, name.name) for name in head.tables}
    for kept, changes in read_rows(connection, head):
        table = tables[kept.name]
        if table is None or table.columns != kept.columns:
            yield from _without_table(kept, changes)
        else:
            yield from _judged(connection, table, changes, has_baseline=head.has_baseline)


def _without_table(kept: TableHead, changes: Sequence[Change]) -> Iterator[Place]:
    table = Table(
        name=kept.name,
        kind="table",
        columns=kept.columns,
        places=(),
        key=(),
        rowid=None,
        is_alias=False,
        has_virtual_columns=False,
    )
    why = "its table was removed, or its columns were changed since"
    for change in changes:
        yield Place(table, change, ItemState.CONFLICT, why)


def _judged(
    connection: apsw.Connection, table: Table, changes: Sequence[Change], *, has_baseline: bool
) -> Iterator[Place]:
    """Whether each row stands as the action left it, as it was before, or otherwise."""
    try:
        found = locate_all(connection, table, changes)
    except UnicodeDecodeError:
        if len(changes) == 1:
            yield Place(table, changes[0], ItemState.CONFLICT, "changed since")
            return
        for change in changes:
            yield from _judged(connection, table, [change], has_baseline=has_baseline)
        return
    # Most often all stand as they were left: that is one comparison.
    is_left = not has_baseline or same([row for _, row in found]) == same([one.after for one in changes])
    for change, (rowid, now) in zip(changes, found, strict=True):
        place = Place(table, change, _RESTORED, "", rowid, now)
        if now == change.before and is_equal(now, change.before):
            place.state = ItemState.ALREADY
        elif not is_left and not is_equal(now, change.after):
            if change.after is None:
                place.refuse(_TAKEN)
            else:
                place.refuse("removed since" if now is None else "changed since")
        yield place


def _by_table(places: Sequence[Place]) -> Iterator[Group]:
    groups: dict[str, list[Place]] = {}
    for name, group in groupby(places, key=lambda place: place.table.name):
        groups.setdefault(name, []).extend(group)
    for places in groups.values():
        yield places[0].table, places


def _write(connection: apsw.Connection, groups: Sequence[Group]) -> bool:
    """Whether a row was refused."""
    for table, group in groups:
        delete_rows(connection, table, [(one.rowid, one.now) for one in group if one.now is not None])
    refused: list[Place] = []
    for table, group in groups:
        back, rows = [], []
        for place in group:
            if (before := place.change.before) is not None:
                back.append(place)
                # Its own rowid, or that of the row in whose place it comes.
                rows.append((place.change.rowid if place.now is None else place.rowid, before))
        rowids = insert_rows(connection, table, rows, refuse=lambda at, back=back: refused.append(back[at]))  # type: ignore[misc]
        for place, rowid in zip(back, rowids, strict=True):
            place.new_rowid = rowid
    for place in refused:
        place.refuse("a unique value of it is taken, or a constraint refuses it")
    return bool(refused)


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


def _prove(connection: apsw.Connection, groups: Sequence[Group]) -> None:
    """Read every row again. Raises RecoveryError; the caller's transaction then takes all of it back."""
    for table, group in groups:
        probes = [_probe(place) for place in group]
        found = [row for _, row in locate_all(connection, table, probes)]
        if same(found) == same([place.change.before for place in group]):
            continue
        for place, row in zip(group, found, strict=True):
            wanted = place.change.before
            is_wrong = is_equal(row, place.now) if wanted is None else not is_equal(row, wanted)
            if is_wrong:
                raise RecoveryError(
                    f"{table.name} {key_of(table, place.change)} was not as it was kept after it was "
                    "put back: nothing was changed"
                )


def _probe(place: Place) -> Change:
    wanted = place.change.before
    if wanted is None:
        return Change(place.rowid, None, place.now)
    return Change(place.new_rowid, wanted, wanted)
