"""Keeps what a request would touch before somebody else runs it. Writes no row of the guarded tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
from msgspec import Struct
from msgspec.structs import replace

from clearance.adapters.systems.sqlite.attempt import (
    Statement,
    back_to_savepoint,
    begin_write,
    new_head,
    set_savepoint,
)
from clearance.adapters.systems.sqlite.attempt_copy import count_rows, with_after, with_copy
from clearance.adapters.systems.sqlite.copies import copy_database
from clearance.adapters.systems.sqlite.counting import run_counted
from clearance.adapters.systems.sqlite.images import Head, TableHead, table_head
from clearance.adapters.systems.sqlite.options import Target
from clearance.adapters.systems.sqlite.reading import read_statement
from clearance.adapters.systems.sqlite.recorder import Change, TableChanges
from clearance.adapters.systems.sqlite.rehearsal import keys_of, parameters_of, removal, rows_by_key
from clearance.adapters.systems.sqlite.schema import Table, keeps_content, read_table
from clearance.core.model import Operation, Request, Reversibility
from clearance.errors import RecoveryError


class Found(Struct, frozen=True, kw_only=True):
    """What is to be stored."""

    head: Head
    changes: Sequence[TableChanges] = ()


def save_statement(
    target: Target, connection: apsw.Connection, request: Request, text: str, *, snapshot_id: str
) -> Found:
    """Rehearse it, keep its images, take it back. Until it is settled, its rehearsal is its baseline."""
    reading = read_statement(connection, text)
    if reading.refused or reading.error is not None or not reading.can_be_rolled_back:
        raise RecoveryError(
            f"system `{target.name}`: the statement cannot be rehearsed, so nothing of it can be kept"
        )
    if reading.classification.only_reads:
        raise RecoveryError(
            f"system `{target.name}`: the statement changes nothing: there is nothing to keep"
        )
    made = Statement(text=text, parameters=parameters_of(request), reading=reading, snapshot_id=snapshot_id)
    try:
        found = run_counted(target, connection, made, has_changes=False)
    except (apsw.ConstraintError, apsw.SQLError, apsw.MismatchError, apsw.BindingsError, TypeError) as error:
        raise RecoveryError(
            f"system `{target.name}`: its rehearsal failed ({type(error).__name__})"
        ) from error
    back_to_savepoint(connection)
    _still_locked(connection)
    if found.head is None:
        raise RecoveryError(found.lost)
    return Found(head=replace(found.head, is_settled=False, bytes=_bytes(found.head)), changes=found.changes)


def _bytes(head: Head) -> int:
    """Of the copy alone: rows are measured when they are stored."""
    return head.bytes if head.file else 0


def _still_locked(connection: apsw.Connection) -> None:
    if not connection.in_transaction:
        begin_write(connection)


def save_records(
    target: Target, connection: apsw.Connection, request: Request, names: Sequence[str], *, snapshot_id: str
) -> Found:
    """Rows by their keys, with what their removal would take along; or whole tables, as a copy."""
    tables = [_existing(target, connection, name) for name in names]
    if not tables:
        raise RecoveryError(f"system `{target.name}`: the request names no table: map the resource to one")
    keys = keys_of(request)
    if keys is None or any(table.kind != "table" for table in tables):
        return _whole(target, connection, tables, snapshot_id=snapshot_id)
    changes: dict[str, TableChanges] = {}
    for table in tables:
        rows = rows_by_key(connection, table, keys)
        _add(changes, table, [Change(rowid=rowid, before=row, after=None) for rowid, row in rows])
        if request.action.operation is Operation.DELETE:
            _add_removed(target, connection, table, keys, changes=changes)
    head = new_head(
        target,
        snapshot_id,
        resources=tuple(changes),
        tables=tuple(table_head(changed.table) for changed in changes.values()),
        count=sum(len(changed.rows) for changed in changes.values()),
    )
    return Found(head=replace(head, has_baseline=False, is_settled=False), changes=list(changes.values()))


def _add_removed(
    target: Target,
    connection: apsw.Connection,
    table: Table,
    keys: list[Any],
    *,
    changes: dict[str, TableChanges],
) -> None:
    """What cascades from a removal, by a rehearsal that is taken back."""
    attempt = removal(target, connection, table, keys)
    if attempt.head is None or (attempt.radius.touches and not attempt.changes):
        raise RecoveryError(
            f"system `{target.name}`: what goes with these rows cannot be kept row by row: save whole tables"
        )
    for changed in attempt.changes:
        _add(changes, changed.table, [change for change in changed.net() if change.before is not None])
    back_to_savepoint(connection)
    set_savepoint(connection)


def _add(changes: dict[str, TableChanges], table: Table, found: Sequence[Change]) -> None:
    """Once each row, as it was at first."""
    group = changes.setdefault(table.name, TableChanges(table=table, rows={}))
    for change in found:
        assert change.before is not None
        identity = change.rowid if change.rowid is not None else tuple(change.before[at] for at in table.key)
        group.rows.setdefault(identity, Change(rowid=change.rowid, before=change.before, after=None))


def _whole(
    target: Target, connection: apsw.Connection, tables: Sequence[Table], *, snapshot_id: str
) -> Found:
    reversibility = Reversibility.EXACT
    lost: list[str] = []
    for table in tables:
        if table.kind == "virtual":
            keeps = keeps_content(connection, table.name)
            reversibility = Reversibility.CONTENT if keeps and not lost else reversibility
            if not keeps:
                lost.append(f"{table.name}: this kind of virtual table keeps no rows that could be put back")
    copied = copy_database(target, snapshot_id, connection, has_changes=False)
    head = new_head(
        target,
        snapshot_id,
        resources=tuple(table.name for table in tables),
        tables=tuple(TableHead(name=table.name, columns=()) for table in tables),
        count=sum(count_rows(connection, table.name) for table in tables),
        irreversible=tuple(lost),
    )
    head = with_after(connection, with_copy(head, copied))
    head = replace(head, reversibility=Reversibility.NONE if lost else reversibility)
    return Found(head=replace(head, has_baseline=False, is_settled=False))


def _existing(target: Target, connection: apsw.Connection, name: str) -> Table:
    table = read_table(connection, name)
    if table is None or table.kind not in ("table", "virtual"):
        raise RecoveryError(f"system `{target.name}`: there is no table `{name}` to keep")
    return table
