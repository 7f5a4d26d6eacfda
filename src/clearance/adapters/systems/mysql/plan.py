"""What the catalogue says of a change before it runs: the tables it reaches, what bars counting or undo.

Asks the catalogue through a second connection, so that the statement's own session notices nothing.
"""

from __future__ import annotations

from msgspec import Struct

from clearance.adapters.systems.mysql.catalogue import Name, Table, shown
from clearance.adapters.systems.mysql.change import Change, Target
from clearance.adapters.systems.mysql.closure import Event, Reach, reach
from clearance.adapters.systems.mysql.connect import Link
from clearance.adapters.systems.mysql.images import shape
from clearance.adapters.systems.mysql.remembered import Remembered

_FIRES = {
    "UPDATE": {"UPDATE"},
    "DELETE": {"DELETE"},
    "INSERT": {"INSERT"},
    "REPLACE": {"INSERT", "UPDATE", "DELETE"},
}


class Plan(Struct, frozen=True, kw_only=True):
    """`blocked` says why the change must not run before it is cleared, `why_not` why it cannot be undone."""

    change: Change
    targets: tuple[tuple[Target, Name], ...]
    reach: Reach
    tables: dict[Name, Table]
    blocked: tuple[str, ...] = ()
    why_not: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[Name, ...]:
        return tuple(dict.fromkeys(name for _, name in self.targets))

    @property
    def shapes(self) -> tuple[object, ...]:
        """What must still hold once the change has run."""
        found = tuple(
            sorted((name, shape(table), sorted(table.triggers)) for name, table in self.tables.items())
        )
        return found, tuple(sorted((key.child, key.name) for key in self.reach.edges))


def plan(catalogue: Remembered, change: Change) -> Plan:
    """Raises the driver's error."""
    side = catalogue.side
    named = tuple((target, _name(side, target)) for target in change.targets)
    names = tuple(dict.fromkeys(name for _, name in named))
    known = catalogue.tables(names)
    start, unresolved = _events(change, named, known)
    reached = reach(start, catalogue.foreign_keys({name[0] for name in names}))
    known |= catalogue.tables(set(reached.events) - set(known))
    blocked = _blocked(side, change, names, reached, known)
    why_not = (*change.why_not, *unresolved, *_not_undone(change, names, reached, known))
    return Plan(
        change=change,
        targets=named,
        reach=reached,
        tables=known,
        blocked=blocked,
        why_not=tuple(dict.fromkeys(why_not)),
    )


def _name(side: Link, target: Target) -> Name:
    schema, table = target.schema or side.schema, target.table
    return (schema.lower(), table.lower()) if side.folds_names else (schema, table)


def _events(
    change: Change, named: tuple[tuple[Target, Name], ...], known: dict[Name, Table]
) -> tuple[dict[Name, Event], tuple[str, ...]]:
    """What happens to the targets themselves. An assigned column that no table is known to have bars undo."""
    if change.verb in ("INSERT", "DELETE"):
        return {name: Event(deletes=change.verb == "DELETE") for _, name in named}, ()
    if change.verb == "REPLACE":
        return {name: Event(deletes=True, columns=_all_columns(known.get(name))) for _, name in named}, ()
    found: dict[Name, set[str]] = {name: set() for _, name in named}
    unresolved: list[str] = []
    for alias, column in change.assigned:
        owners = [
            name
            for target, name in named
            if alias in ("", target.alias.lower()) and column in _all_columns(known.get(name))
        ]
        if not owners:
            unresolved.append("a column that is set belongs to no table that was found")
        for name in owners:
            found[name].add(column)
    return {name: Event(columns=frozenset(columns)) for name, columns in found.items()}, tuple(unresolved)


def _all_columns(table: Table | None) -> frozenset[str]:
    return frozenset(column.name.lower() for column in table.columns) if table else frozenset()


def _blocked(
    side: Link, change: Change, names: tuple[Name, ...], reached: Reach, known: dict[Name, Table]
) -> tuple[str, ...]:
    found: list[str] = []
    for name, event in reached.events.items():
        table = known.get(name)
        if table is None:
            found.append(f"{shown(name)} was not found in the catalogue")
            continue
        if table.kind not in ("BASE TABLE", "SYSTEM VERSIONED"):
            found.append(f"{shown(name)} is no table of its own ({table.kind.lower()})")
        elif table.engine != "InnoDB":
            found.append(f"{shown(name)} is kept by {table.engine}: a rollback does not take its rows back")
        fired = _FIRES[change.verb] if name in names else set() if side.is_mariadb else _fired(event)
        if fired & table.triggers:
            found.append(f"a trigger on {shown(name)} runs code that was not counted")
    return tuple(found)


def _fired(event: Event) -> set[str]:
    """MySQL 9.6 and later carry foreign keys out above the engine; triggers may run there."""
    return ({"DELETE"} if event.deletes else set()) | ({"UPDATE"} if event.columns else set())


def _not_undone(
    change: Change, names: tuple[Name, ...], reached: Reach, known: dict[Name, Table]
) -> tuple[str, ...]:
    found: list[str] = []
    for name, event in reached.events.items():
        table = known.get(name)
        if table is not None:
            found += _table_bars(table, event, moves=change.verb == "UPDATE" or name not in names)
    if change.verb == "REPLACE":
        found.append("which rows were replaced, changed or added cannot be told apart")
    if change.verb == "INSERT" and change.ignores:
        found.append("which rows were left out by IGNORE cannot be told")
    if change.limited and (change.several or not _in_order(change, known.get(names[0]))):
        found.append("LIMIT without ORDER BY over the whole primary key may choose other rows each time")
    return tuple(found)


def _table_bars(table: Table, event: Event, *, moves: bool) -> list[str]:
    where, found = shown(table.name), []
    stored = {column.name.lower() for column in table.stored}
    if not table.key:
        found.append(f"{where} has no primary key by which a row could be found again")
    elif not {name.lower() for name in table.key} <= stored:
        found.append(f"the primary key of {where} is a generated column")
    if moves and event.columns & {name.lower() for name in table.key}:
        found.append(f"the primary key of {where} is changed")
    if table.triggers:
        found.append(f"a trigger on {where} would run when rows are put back")
    if table.kind == "SYSTEM VERSIONED":
        found.append(f"{where} keeps its own history, which an undo would lengthen")
    return found


def _in_order(change: Change, table: Table | None) -> bool:
    return (
        table is not None and bool(table.key) and {name.lower() for name in table.key} <= set(change.ordered)
    )
