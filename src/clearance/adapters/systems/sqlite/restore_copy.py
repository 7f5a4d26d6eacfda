"""Puts tables and schema objects back from a copy of the file, in one open transaction. Commits nothing.

Only what the action touched is replaced: other tables keep what others wrote since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import apsw
from msgspec import Struct

from clearance.adapters.systems.sqlite.connection import quoted
from clearance.adapters.systems.sqlite.copies import digest_of
from clearance.adapters.systems.sqlite.images import Head
from clearance.adapters.systems.sqlite.references import broken_references
from clearance.adapters.systems.sqlite.schema import SchemaObject, Table, read_table, schema_objects
from clearance.core.model import Item, ItemState, RestoreMode
from clearance.errors import RecoveryError

KEPT: Final = "clearance_kept"  # the copy, attached
_SAVEPOINT: Final = "clearance_restore"
_DROP_ORDER: Final = ("trigger", "view", "index", "table")
_MAKE_ORDER: Final = ("index", "view", "trigger")


class Plan(Struct, frozen=True, kw_only=True):
    """What the action did to the schema and the tables, as the copy and the head tell."""

    made: frozenset[SchemaObject]  # by the action: to be dropped
    lost: frozenset[SchemaObject]  # by the action: to be made again
    items: tuple[Item, ...]
    digests: dict[str, str]  # of the tables in the copy

    @property
    def conflicts(self) -> int:
        return sum(item.state is ItemState.CONFLICT for item in self.items)

    def proven(self) -> dict[str, str]:
        """The digests of the tables that hold now what the copy holds."""
        as_before = (ItemState.RESTORED, ItemState.ALREADY)
        names = {item.resource for item in self.items if item.state in as_before and not item.key}
        return {name: digest for name, digest in self.digests.items() if name in names}

    def tables(self) -> list[str]:
        return [item.resource for item in self.items if item.state is ItemState.RESTORED and not item.key]


def plan(connection: apsw.Connection, copy: apsw.Connection, head: Head) -> Plan:
    """Judge every table and every changed object. Changes nothing."""
    kept, now = schema_objects(copy), schema_objects(connection)
    after = frozenset(head.schema_after) if head.has_baseline else kept
    made, lost = after - kept, kept - after
    digests = {table.name: digest_of(copy, table.name) for table in head.tables}
    items = [_table_item(connection, copy, head, name, before=digests[name]) for name in digests]
    items += [item for item in _schema_items(made, lost, now=now) if item.resource not in _named(items)]
    if made | lost and any(item.state is ItemState.CONFLICT for item in items):
        items = [_with_conflict(item) for item in items]
    elif made | lost and not (made & now) and lost <= now:
        made = lost = frozenset()
    return Plan(made=made, lost=lost, items=tuple(items), digests=digests)


def apply(connection: apsw.Connection, copy: apsw.Connection, found: Plan, *, mode: RestoreMode) -> Plan:
    """Replace what is free of conflict; under ALL with a conflict nothing. Raises RecoveryError."""
    if found.conflicts and (mode is RestoreMode.ALL or found.made | found.lost):
        return found
    remade = {item.name for item in found.lost if item.type == "table"}
    names = sorted(remade.union(found.tables()))
    before = broken_references(connection, names)
    connection.execute(f"SAVEPOINT {_SAVEPOINT}")
    try:
        fresh = _make_schema(connection, found)
        for name in fresh.union(found.tables()):
            _fill(connection, name, fresh=name in fresh)
        _make(connection, found.lost | _of_tables(copy, fresh), kinds=_MAKE_ORDER)
    except apsw.Error as error:
        connection.execute(f"ROLLBACK TO {_SAVEPOINT}; RELEASE {_SAVEPOINT}")
        raise RecoveryError(
            f"the copy could not be put back ({type(error).__name__}): nothing was changed"
        ) from error
    broken = {item.child for item in broken_references(connection, names) - before}
    if broken:
        connection.execute(f"ROLLBACK TO {_SAVEPOINT}; RELEASE {_SAVEPOINT}")
        return _refused(found, broken | set(names))
    _prove(connection, names, found)
    connection.execute(f"RELEASE {_SAVEPOINT}")
    return found


def _table_item(
    connection: apsw.Connection, copy: apsw.Connection, head: Head, name: str, *, before: str
) -> Item:
    now = digest_of(connection, name)
    if now == before and _shape(connection, name) == _shape(copy, name):
        return Item(resource=name, key="", state=ItemState.ALREADY)
    if head.has_baseline and now != head.digests_after.get(name, ""):
        return Item(resource=name, key="", state=ItemState.CONFLICT, why="its rows were changed since")
    return Item(resource=name, key="", state=ItemState.RESTORED)


def _shape(connection: apsw.Connection, name: str) -> tuple[str, ...]:
    table = read_table(connection, name)
    return table.columns if table is not None else ()


def _schema_items(
    made: frozenset[SchemaObject], lost: frozenset[SchemaObject], *, now: frozenset[SchemaObject]
) -> Iterator[Item]:
    """One per changed object: it must stand as the action left it, and a lost one's name must be free."""
    names = {item.name for item in now}
    made_names = {item.name for item in made}
    for item in sorted(made):
        state = ItemState.RESTORED if item in now else ItemState.CONFLICT
        if (item not in now and item.name not in names and item.name not in {one.name for one in lost}) or (
            item not in now and lost and any(one in now and one.name == item.name for one in lost)
        ):
            state = ItemState.ALREADY
        why = "its definition was changed since" if state is ItemState.CONFLICT else ""
        yield Item(resource=item.name, key=item.type, state=state, why=why)
    for item in sorted(lost):
        if item.name in made_names:
            continue
        if item in now:
            yield Item(resource=item.name, key=item.type, state=ItemState.ALREADY)
        elif item.name in names:
            yield Item(
                resource=item.name, key=item.type, state=ItemState.CONFLICT, why="its name was taken since"
            )
        else:
            yield Item(resource=item.name, key=item.type, state=ItemState.RESTORED)


def _named(items: Iterable[Item]) -> set[str]:
    """Tables whose conflict is known already; those free of it are judged by their definition too."""
    return {item.resource for item in items if item.state is ItemState.CONFLICT}


def _with_conflict(item: Item) -> Item:
    """A schema is put back whole or not at all."""
    if item.state is not ItemState.RESTORED:
        return item
    return Item(
        resource=item.resource,
        key=item.key,
        state=ItemState.SKIPPED,
        why="something it belongs to is in conflict",
    )


def _refused(found: Plan, names: set[str]) -> Plan:
    why = "rows elsewhere would refer to rows that are gone"
    items = tuple(
        Item(resource=item.resource, key=item.key, state=ItemState.CONFLICT, why=why)
        if item.resource in names
        else item
        for item in found.items
    )
    return Plan(made=found.made, lost=found.lost, items=items, digests=found.digests)


def _make_schema(connection: apsw.Connection, found: Plan) -> set[str]:
    """Drop what the action made, make the tables that it dropped or altered; which tables are empty now.

    That may be a table whose rows the action left alone: renaming a table rewrites those that refer to it.
    """
    for kind in _DROP_ORDER:
        for item in sorted(found.made):
            if item.type == kind and item in schema_objects(connection):
                connection.execute(f"DROP {kind} main.{quoted(item.name)}")
    tables = {item for item in found.lost if item.type == "table"} - schema_objects(connection)
    _make(connection, frozenset(tables), kinds=("table",))
    return {item.name for item in tables}


def _make(connection: apsw.Connection, objects: frozenset[SchemaObject], *, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        for item in sorted(objects - schema_objects(connection)):
            if item.type == kind:
                connection.execute(item.sql)


def _of_tables(copy: apsw.Connection, names: set[str]) -> frozenset[SchemaObject]:
    """Indexes and triggers went with their tables."""
    return frozenset(item for item in schema_objects(copy) if item.table in names and item.type != "table")


def _fill(connection: apsw.Connection, name: str, *, fresh: bool) -> None:
    """Every row of the copy, by SQLite itself: no value passes through this process."""
    table = read_table(connection, name)
    if table is None:
        return
    if not fresh:
        connection.execute(f"DELETE FROM main.{quoted(name)}")  # noqa: S608
    columns = ", ".join(_columns(table))
    connection.execute(
        f"INSERT INTO main.{quoted(name)} ({columns}) SELECT {columns} FROM {KEPT}.{quoted(name)}"  # noqa: S608
    )


def _columns(table: Table) -> list[str]:
    columns = [quoted(name) for name in table.columns]
    return columns if table.rowid is None or table.is_alias else [table.rowid, *columns]


def _prove(connection: apsw.Connection, names: list[str], found: Plan) -> None:
    """Read the tables again. Raises RecoveryError; the caller's transaction then takes all of it back."""
    now = schema_objects(connection)
    if not found.lost <= now or found.made & now:
        raise RecoveryError("the schema was not as it was kept after it was put back: nothing was changed")
    for name in names:
        if digest_of(connection, name) != found.digests.get(name):
            raise RecoveryError(f"{name} was not as it was kept after it was put back: nothing was changed")
