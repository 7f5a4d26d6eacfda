"""One statement run inside an open transaction: counted, and its images kept. Commits nothing.

The caller holds the write lock, so that nobody else writes between the count and the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import apsw
from msgspec import Struct
from msgspec.structs import replace

from clearance.adapters.systems.sqlite.images import Head, TableHead, table_head, write_head, write_rows
from clearance.adapters.systems.sqlite.options import Target
from clearance.adapters.systems.sqlite.reading import Reading
from clearance.adapters.systems.sqlite.recorder import Change, Recorder, Stop, TableChanges
from clearance.adapters.systems.sqlite.result import Result, run
from clearance.adapters.systems.sqlite.schema import Table, read_table, sequences
from clearance.core.model import (
    EffectClass,
    Radius,
    Reversibility,
    Touch,
)

SAVEPOINT: Final = "clearance_attempt"
_SAMPLE: Final = 5  # keys shown of each table


class Attempt(Struct, kw_only=True):
    """What came of it. `head` is None where nothing was captured, `lost` then says why."""

    radius: Radius
    result: Result
    head: Head | None = None
    changes: Sequence[TableChanges] = ()
    lost: str = ""


class Statement(Struct, frozen=True, kw_only=True):
    """What is to be run, how the engine reads it, and where its images go: nowhere without an id."""

    text: str
    parameters: object
    reading: Reading
    snapshot_id: str


def begin_write(connection: apsw.Connection) -> None:
    """Take the write lock now, not in the middle."""
    connection.execute("BEGIN IMMEDIATE")


def set_savepoint(connection: apsw.Connection) -> None:
    connection.execute(f"SAVEPOINT {SAVEPOINT}")


def back_to_savepoint(connection: apsw.Connection) -> None:
    """Take the attempt back. SQLite itself may have: `ON CONFLICT ROLLBACK` ends the transaction."""
    if connection.in_transaction:
        connection.execute(f"ROLLBACK TO {SAVEPOINT}; RELEASE {SAVEPOINT}")


def run_by_rows(
    target: Target, connection: apsw.Connection, statement: Statement, *, has_changes: bool
) -> Attempt | None:
    """Behind a savepoint, which stays open. None where the rows could not all be kept: then a copy must be,
    and the transaction may have ended, which takes nothing along where it has no earlier changes.

    Raises the driver's own error of the statement.
    """
    shapes = [read_table(connection, name) for name in sorted(statement.reading.writes)]
    if statement.reading.has_ddl or not all(table is None or table.kept_by_rows for table in shapes):
        return None
    stops = Stop.NEVER if has_changes else Stop.WHEN_LOST
    recorder = Recorder(connection, most_rows=target.options.most_rows, stops=stops)
    recorder.learn(statement.reading.writes)
    numbers, total = sequences(connection), connection.total_changes()
    try:
        with recorder:
            result = run(connection, statement.text, statement.parameters, changes_rows=True)
    except apsw.InterruptError:
        if recorder.why_not:
            return None
        raise
    # The engine's second counter knows neither REPLACE's deletes nor who did it, but it is not ours.
    unseen = connection.total_changes() - total > recorder.events
    if recorder.why_not or (unseen and not temporary_things(statement.reading)):
        return None
    changes = [kept for _, kept in sorted(recorder.changes.items())]
    touches = tuple(_touches(recorder))
    radius = radius_of(target, statement, touches, how="change hook")
    head = _row_head(target, statement, changes, touches=touches)
    head = replace(head, sequences_before=numbers, sequences_after=sequences(connection))
    if statement.snapshot_id:
        head = store(connection, head, changes)
    return Attempt(radius=with_head(radius, head), result=result, head=head, changes=changes)


def store(connection: apsw.Connection, head: Head, changes: Sequence[TableChanges]) -> Head:
    """The images into the open transaction, the head last: it knows how many parts there are."""
    write_head(connection, head)
    parts, size = write_rows(connection, head.snapshot_id, changes)
    head = replace(head, parts=parts, bytes=head.bytes + size)
    write_head(connection, head)
    return head


def _row_head(
    target: Target, statement: Statement, changes: Sequence[TableChanges], *, touches: Sequence[Touch]
) -> Head:
    return new_head(
        target,
        statement.snapshot_id,
        resources=tuple(dict.fromkeys(touch.resource for touch in touches)),
        tables=tuple(table_head(changed.table) for changed in changes),
        count=sum(len(changed.net()) for changed in changes),
        irreversible=temporary_things(statement.reading),
    )


def new_head(
    target: Target,
    snapshot_id: str,
    *,
    resources: tuple[str, ...],
    tables: tuple[TableHead, ...],
    count: int,
    irreversible: tuple[str, ...] = (),
) -> Head:
    return Head(
        snapshot_id=snapshot_id,
        system=target.name,
        fingerprint=target.fingerprint,
        at=datetime.now(UTC),
        resources=resources,
        tables=tables,
        count=count,
        bytes=0,
        parts=0,
        reversibility=Reversibility.EXACT,
        irreversible=irreversible,
    )


def temporary_things(reading: Reading) -> tuple[str, ...]:
    if EffectClass.SESSION in reading.classification.effects:
        return ("temporary tables of this session are not put back",)
    return ()


def _touches(recorder: Recorder) -> Iterator[Touch]:
    kept = recorder.changes
    for (name, operation), count in recorder.touched().items():
        changes = kept[name]
        sample = tuple(key_of(changes.table, change) for change in islice(changes.rows.values(), _SAMPLE))
        yield Touch(resource=name, operation=operation, count=count, sample=sample)


def key_of(table: Table, change: Change) -> str:
    """The key by which a person finds the row."""
    row = change.before if change.before is not None else change.after
    if row is not None and table.key and all(row[at] is not None for at in table.key):
        return ", ".join(_shown(row[at]) for at in table.key)
    return f"rowid {change.rowid}"


def _shown(value: object) -> str:
    return f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)


def radius_of(target: Target, statement: Statement, touches: tuple[Touch, ...], *, how: str) -> Radius:
    return Radius(
        system=target.name,
        fingerprint=target.fingerprint,
        effects=statement.reading.classification.effects,
        touches=touches,
        how=how,
        unknown=statement.reading.classification.unknown,
    )


def with_head(radius: Radius, head: Head) -> Radius:
    return replace(radius, reversibility=head.reversibility, irreversible=head.irreversible)
