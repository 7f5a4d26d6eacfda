"""One restore from its beginning to its commit: the images, the mark that they were used, the new images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

import apsw
from msgspec.structs import replace

from clearance.adapters.systems.sqlite.attempt import begin_write, new_head, store
from clearance.adapters.systems.sqlite.attempt_copy import with_after, with_copy
from clearance.adapters.systems.sqlite.connection import connect_to_restore
from clearance.adapters.systems.sqlite.copies import copy_database, file_of, opened_copy
from clearance.adapters.systems.sqlite.images import Head, existing_head, table_head, write_head
from clearance.adapters.systems.sqlite.options import Target
from clearance.adapters.systems.sqlite.restore_copy import KEPT, apply, plan
from clearance.adapters.systems.sqlite.restore_rows import replaced, restore_rows
from clearance.adapters.systems.sqlite.schema import read_table, sequences
from clearance.core.model import MOST_ITEMS, Item, ItemState, Restored, RestoreMode, RestoreStatus

_FIRST: Final = (ItemState.CONFLICT, ItemState.SKIPPED, ItemState.RESTORED, ItemState.ALREADY)


def restore(target: Target, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode) -> Restored:
    """All of it in one transaction: after a crash at any point it has happened, or it has not."""
    connection = connect_to_restore(target)
    try:
        head = existing_head(connection, snapshot_id)
        if head.undone_as:
            return Restored(snapshot_id=snapshot_id, status=RestoreStatus.ALREADY_UNDONE, verified=True)
        if head.file:
            return _from_copy(target, connection, head, as_snapshot=as_snapshot, mode=mode)
        with _written(connection):
            head = existing_head(connection, snapshot_id)  # under the lock: another restore may have won
            if head.undone_as:
                return Restored(snapshot_id=snapshot_id, status=RestoreStatus.ALREADY_UNDONE, verified=True)
            return _from_rows(target, connection, head, as_snapshot=as_snapshot, mode=mode)
    finally:
        connection.close()


@contextmanager
def _written(connection: apsw.Connection) -> Iterator[None]:
    """A write transaction that ends with whatever was not committed inside taken back."""
    begin_write(connection)
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _from_rows(
    target: Target, connection: apsw.Connection, head: Head, *, as_snapshot: str, mode: RestoreMode
) -> Restored:
    numbers = sequences(connection)
    places = restore_rows(connection, head, mode=mode)
    report = _report(head, [(place.state, place.item) for place in places], mode=mode)
    if mode is RestoreMode.PLAN or report.status is RestoreStatus.CONFLICT:
        return report
    if report.conflicts == 0:
        _put_back_sequences(connection, head, numbers)
    changes = replaced(places)
    new = new_head(
        target,
        as_snapshot,
        resources=tuple(changed.table.name for changed in changes),
        tables=tuple(table_head(changed.table) for changed in changes),
        count=sum(len(changed.rows) for changed in changes),
    )
    new = replace(new, sequences_before=numbers, sequences_after=sequences(connection))
    store(connection, new, changes)
    _mark_and_commit(connection, head, as_snapshot)
    return report


def _from_copy(
    target: Target, connection: apsw.Connection, head: Head, *, as_snapshot: str, mode: RestoreMode
) -> Restored:
    with opened_copy(target, head.file, head.file_digest) as copy:
        uri = f"{(target.images / head.file).absolute().as_uri()}?mode=ro&immutable=1"
        connection.execute(f"ATTACH ? AS {KEPT}", (uri,))
        with _written(connection):
            head = existing_head(connection, head.snapshot_id)
            if head.undone_as:
                return Restored(
                    snapshot_id=head.snapshot_id, status=RestoreStatus.ALREADY_UNDONE, verified=True
                )
            return _replace_tables(target, connection, copy, head, as_snapshot=as_snapshot, mode=mode)


def _replace_tables(
    target: Target,
    connection: apsw.Connection,
    copy: apsw.Connection,
    head: Head,
    *,
    as_snapshot: str,
    mode: RestoreMode,
) -> Restored:
    numbers = sequences(connection)
    found = plan(connection, copy, head)
    kept = None
    if mode is not RestoreMode.PLAN and not (found.conflicts and mode is RestoreMode.ALL):
        kept = copy_database(target, as_snapshot, connection, has_changes=False)
    try:
        found = apply(connection, copy, found, mode=mode)
        report = _report(head, [(item.state, _given(item)) for item in found.items], mode=mode)
        if kept is None or report.status is RestoreStatus.CONFLICT:
            return report
        if report.conflicts == 0:
            _put_back_sequences(connection, head, numbers)
        new = new_head(
            target,
            as_snapshot,
            resources=head.resources,
            tables=head.tables,
            count=report.restored,
            irreversible=head.irreversible,
        )
        new = replace(with_copy(new, kept), reversibility=head.reversibility, sequences_before=numbers)
        store(connection, with_after(connection, new, known=found.proven()), ())
        _mark_and_commit(connection, head, as_snapshot)
        kept = None
        return report
    finally:
        if kept is not None:
            file_of(target, as_snapshot).unlink(missing_ok=True)


def _given(item: Item) -> Callable[[], Item]:
    return lambda: item


def _mark_and_commit(connection: apsw.Connection, head: Head, as_snapshot: str) -> None:
    write_head(connection, replace(head, undone_as=as_snapshot))
    connection.execute("COMMIT")


def _put_back_sequences(connection: apsw.Connection, head: Head, now: dict[str, int]) -> None:
    """AUTOINCREMENT's mark of each table, where nobody moved it since the action."""
    names = {table.name for table in head.tables}
    for name in sorted(names & (head.sequences_before.keys() | head.sequences_after.keys())):
        if now.get(name) != head.sequences_after.get(name) or read_table(connection, name) is None:
            continue
        before = head.sequences_before.get(name)
        connection.execute("DELETE FROM main.sqlite_sequence WHERE name = ?", (name,))
        if before is not None:
            connection.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (name, before))


def _report(
    head: Head, found: Sequence[tuple[ItemState, Callable[[], Item]]], *, mode: RestoreMode
) -> Restored:
    counts = Counter(state for state, _ in found)
    ordered = islice((entry for state in _FIRST for entry in found if entry[0] is state), MOST_ITEMS)
    return Restored(
        snapshot_id=head.snapshot_id,
        status=(status := _status(counts, mode)),
        restored=0 if status is RestoreStatus.CONFLICT else counts[ItemState.RESTORED],
        already=counts[ItemState.ALREADY],
        conflicts=counts[ItemState.CONFLICT],
        skipped=counts[ItemState.SKIPPED]
        + (counts[ItemState.RESTORED] if status is RestoreStatus.CONFLICT else 0),
        items=tuple(_shown(make(), status) for _, make in ordered),
        verified=status in (RestoreStatus.RESTORED, RestoreStatus.PARTIAL),
        irreversible=head.irreversible,
    )


def _status(counts: Counter[ItemState], mode: RestoreMode) -> RestoreStatus:
    if mode is RestoreMode.PLAN:
        return RestoreStatus.PLANNED
    if not counts[ItemState.CONFLICT]:
        return RestoreStatus.RESTORED
    if mode is RestoreMode.FREE and counts[ItemState.RESTORED]:
        return RestoreStatus.PARTIAL
    return RestoreStatus.CONFLICT


def _shown(item: Item, status: RestoreStatus) -> Item:
    """Where nothing was changed, nothing is called restored."""
    if status is not RestoreStatus.CONFLICT or item.state is not ItemState.RESTORED:
        return item
    return Item(
        resource=item.resource, key=item.key, state=ItemState.SKIPPED, why="another row is in conflict"
    )
