"""What a statement wrote, by the engine's own counters and locks: differences of readings. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from clearance.adapters.systems.postgres.connection import PINNED

# Beyond the pinned ones: whatever moves a name, a right, a limit or a trigger away from under the guard.
WATCHED: Final = (
    *PINNED,
    "search_path",
    "session_authorization",
    "role",
    "row_security",
    "session_replication_role",
    "track_counts",
    "transaction_read_only",
    "lock_timeout",
    "statement_timeout",
    "default_transaction_read_only",
    "client_encoding",
)


class Table(Struct, frozen=True, kw_only=True):
    """One relation: how often it was written, and whether it is held against everybody else."""

    relid: int
    root: int  # itself, or the topmost table of its partition tree
    name: str  # of the root; empty where it was dropped
    kind: str
    temporary: bool
    held: bool  # a lock for writing
    exclusive: bool
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    escaping: tuple[str, ...] = ()

    @property
    def written(self) -> int:
        return self.inserted + self.updated + self.deleted


class Reading(Struct, frozen=True, kw_only=True):
    """The counters and locks at one moment, and the settings then."""

    tables: Mapping[int, Table]
    settings: tuple[str | None, ...]
    catalogue: int
    classes: int  # pg_class alone: TRUNCATE writes it, and nothing else of the catalogue


class Written(Struct, frozen=True, kw_only=True):
    """What happened between two readings."""

    tables: tuple[Table, ...]
    catalogue: int
    classes: int
    settings: tuple[str, ...]  # the names of those that changed


def reading(rows: list[tuple[Any, ...]], state: tuple[Any, ...]) -> Reading:
    """From the rows of counts.sql and the row of state.sql."""
    settings, catalogue, classes = state
    tables = (
        Table(
            relid=relid,
            root=root,
            name=name or "",
            kind=_text(kind),
            temporary=_text(persistence) == "t",
            held=exclusive is not None,
            exclusive=bool(exclusive),
            inserted=inserted or 0,
            updated=updated or 0,
            deleted=deleted or 0,
            escaping=tuple(escaping),
        )
        for relid, root, name, kind, persistence, exclusive, inserted, updated, deleted, escaping in rows
    )
    return Reading(
        tables={table.relid: table for table in tables},
        settings=tuple(settings),
        catalogue=catalogue,
        classes=classes,
    )


def _text(char: str | bytes) -> str:
    return char.decode() if isinstance(char, bytes) else char


def difference(before: Reading, after: Reading) -> Written:
    """The tables that were written, or newly locked for writing, and what else changed.

    Counters go on counting after a rollback, and keep what an earlier transaction counted for up to a second:
    only differences mean anything.
    """
    tables = []
    for relid, now in after.tables.items():
        was = before.tables.get(relid)
        change = _minus(now, was) if was is not None else now
        if change.written or change.exclusive or (change.held and change.kind not in ("r", "p")):
            tables.append(change)
    names = (*WATCHED, "current_user")
    changed = [
        name
        for name, was_set, is_set in zip(names, before.settings, after.settings, strict=True)
        if was_set != is_set
    ]
    return Written(
        tables=tuple(tables),
        catalogue=after.catalogue - before.catalogue,
        classes=after.classes - before.classes,
        settings=tuple(changed),
    )


def _minus(now: Table, was: Table) -> Table:
    return Table(
        relid=now.relid,
        root=now.root,
        name=now.name,
        kind=now.kind,
        temporary=now.temporary,
        held=now.held and not was.held,
        exclusive=now.exclusive and not was.exclusive,
        inserted=now.inserted - was.inserted,
        updated=now.updated - was.updated,
        deleted=now.deleted - was.deleted,
        escaping=now.escaping,
    )
