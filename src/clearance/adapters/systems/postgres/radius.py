"""The radius of one attempt, from what the engine counted and what was captured. Values in, a value out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from clearance.adapters.systems.postgres.counters import Table, Written
from clearance.core.model import (
    Classification,
    EffectClass,
    Operation,
    Radius,
    Reversibility,
    Touch,
)


class Captured(Struct, frozen=True, kw_only=True):
    """Images under one snapshot of one table (the topmost of a partition tree), by the event behind them."""

    relid: int
    operation: str
    olds: int
    news: int
    sound: bool  # the images have the columns that the table has


class Rows(Struct, frozen=True, kw_only=True):
    """How many rows a table had, and has now, where no counter tells: it was dropped, altered, emptied."""

    name: str
    before: int
    after: int | None  # None: it is gone


class Found(Struct, frozen=True, kw_only=True):
    """Everything known of one attempt."""

    written: Written
    captured: tuple[Captured, ...] = ()
    rows: Mapping[int, Rows] = {}
    counts: bool = True  # the engine counts at all


class Judged(Struct, frozen=True, kw_only=True):
    """A radius, and whether the images hold all that it counts."""

    radius: Radius
    complete: bool


class _Sum(Struct, kw_only=True):
    name: str = ""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0


_REVERSED = frozenset(
    {EffectClass.READ, EffectClass.WRITE, EffectClass.DELETE, EffectClass.EXEC, EffectClass.DDL}
)


def judge(system: str, fingerprint: str, *, read: Classification, found: Found) -> Judged:
    """Every touch with its count; reversible where each row counted has its image and nothing escapes."""
    truncated = {one.relid for one in found.captured if one.operation == "TRUNCATE"}
    sums = _sums(found.written.tables)
    touches: list[Touch] = []
    complete = found.counts and not any(rows.before for rows in found.rows.values())
    for root in dict.fromkeys([*sums, *truncated]):
        images = [one for one in found.captured if one.relid == root]
        touches += _touches(sums.get(root, _Sum()), images, _name(root, found))
        complete = complete and _holds(sums.get(root, _Sum()), images)
    exclusive = _exclusive(found.written, truncated)
    touches += _shaped(exclusive, found)
    escapes = _escapes(found, exclusive, truncated=bool(truncated))
    effects = read.effects | _seen(found, touches, exclusive)
    lost = (*escapes, *_sequences(found.written.tables))
    unknown = read.unknown
    if not found.counts:
        effects |= {EffectClass.UNKNOWN}
        unknown = (*unknown, "the server does not count rows: track_counts is off")
    elif not complete:
        lost = (*lost, "Not every changed row has an image: a table is not watched, or inherits.")
    exact = complete and not escapes and effects <= _REVERSED and EffectClass.DDL not in effects
    return Judged(
        complete=complete,
        radius=Radius(
            system=system,
            fingerprint=fingerprint,
            effects=effects,
            touches=tuple(touches),
            how="engine counters",
            reversibility=Reversibility.EXACT if exact else Reversibility.NONE,
            irreversible=lost,
            unknown=unknown,
        ),
    )


def _exclusive(written: Written, truncated: set[int]) -> list[Table]:
    """Held against everybody, and not only by a truncation that was captured.

    TRUNCATE .. RESTART IDENTITY holds sequences too; one that was altered would have changed the catalogue.
    """
    restarted = bool(truncated) and not written.catalogue
    return [
        table
        for table in written.tables
        if table.exclusive and table.root not in truncated and not (table.kind == "S" and restarted)
    ]


def _name(root: int, found: Found) -> str:
    named = (table.name for table in found.written.tables if table.root == root and table.name)
    return next(named, f"relation {root}")


def _sums(tables: Iterable[Table]) -> dict[int, _Sum]:
    sums: dict[int, _Sum] = defaultdict(_Sum)
    for table in tables:
        if table.written:
            one = sums[table.root]
            one.inserted += table.inserted
            one.updated += table.updated
            one.deleted += table.deleted
    return sums


def _touches(counted: _Sum, images: list[Captured], name: str) -> list[Touch]:
    """A row that moves to another partition is one updated row, although the engine counts it twice.

    Only images tell a move from a deletion beside an insertion: without them both are given.
    """
    changed = sum(one.olds for one in images if one.operation == "UPDATE")
    moved = max(0, min(changed - counted.updated, counted.deleted, counted.inserted))
    emptied = sum(one.olds for one in images if one.operation == "TRUNCATE")
    numbers = {
        Operation.CREATE: counted.inserted - moved,
        Operation.UPDATE: counted.updated + moved,
        Operation.DELETE: counted.deleted - moved + emptied,
    }
    return [Touch(resource=name, operation=verb, count=number) for verb, number in numbers.items() if number]


def _holds(counted: _Sum, images: list[Captured]) -> bool:
    """Captured exactly what was counted. More would be images of rows that are stored in another table.

    A child's rows, changed through the parent that they inherit from, are captured as the parent's.
    """
    changes = [one for one in images if one.operation != "TRUNCATE"]
    more = (
        sum(one.olds for one in changes) - counted.updated - counted.deleted,
        sum(one.news for one in changes) - counted.updated - counted.inserted,
    )
    truncated = len(changes) < len(images)  # which sets the counters of the table back
    return all(one.sound for one in images) and (min(more) >= 0 if truncated else more == (0, 0))


def _shaped(exclusive: list[Table], found: Found) -> list[Touch]:
    """Tables held against everybody, and not by a truncation that was captured: dropped, altered or emptied.

    All that existed before were counted before; what has no count is new.
    """
    touches = []
    for table in exclusive:
        rows = found.rows.get(table.relid)
        if rows is not None:
            touches.append(Touch(resource=rows.name, operation=Operation.DDL, count=rows.before))
            gone = rows.before - (rows.after or 0) - table.deleted + table.inserted
            if gone > 0:
                touches.append(Touch(resource=rows.name, operation=Operation.DELETE, count=gone))
        elif table.kind in ("r", "p", "m", "f"):
            touches.append(Touch(resource=table.name, operation=Operation.DDL, count=0))
    return touches


def _seen(found: Found, touches: list[Touch], exclusive: list[Table]) -> frozenset[EffectClass]:
    """Effects that the engine shows, whatever the text was read as."""
    verbs = {touch.operation for touch in touches}
    seen = set()
    if verbs & {Operation.CREATE, Operation.UPDATE}:
        seen.add(EffectClass.WRITE)
    if Operation.DELETE in verbs:
        seen.add(EffectClass.DELETE)
    if exclusive or found.written.catalogue:
        seen.add(EffectClass.DDL)
    if any(table.kind == "f" and table.held for table in found.written.tables):
        seen.add(EffectClass.OUTBOUND)
    return frozenset(seen)


def _escapes(found: Found, exclusive: list[Table], *, truncated: bool) -> tuple[str, ...]:
    lost = []
    for table in found.written.tables:
        if table.kind == "f" and table.held:
            lost.append(f"{table.name} is a foreign table: what changes there stays.")
        if table.temporary and table.written:
            lost.append(f"{table.name} is a temporary table: no image is kept of it.")
        if table.kind == "m" and table.held:
            lost.append(f"{table.name} is a materialized view: refresh it after an undo.")
        if table.written:
            lost += [f"The trigger function {name} may act outside the database." for name in table.escaping]
    named = {found.rows[t.relid].name if t.relid in found.rows else t.name for t in exclusive}
    lost += [f"{name} was altered, emptied or dropped: no undo." for name in sorted(named) if name]
    if found.written.catalogue:
        lost.append("The shape of the database, its rights or its large objects are changed: no undo.")
    elif found.written.classes and not (truncated or exclusive):
        lost.append("A table's storage was replaced: no undo.")
    return tuple(dict.fromkeys(lost))


def _sequences(tables: Iterable[Table]) -> tuple[str, ...]:
    return tuple(
        f"The sequence {table.name} is not set back." for table in tables if table.kind == "S" and table.held
    )
