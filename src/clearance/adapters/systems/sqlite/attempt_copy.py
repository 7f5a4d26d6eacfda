"""One statement run beside a copy of the whole file: for DDL, virtual tables, more rows than are kept singly.

The caller holds the write lock. Commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import apsw
from msgspec import Struct
from msgspec.structs import replace

from clearance.adapters.systems.sqlite.attempt import (
    Attempt,
    Statement,
    new_head,
    radius_of,
    store,
    temporary_things,
    with_head,
)
from clearance.adapters.systems.sqlite.connection import quoted
from clearance.adapters.systems.sqlite.copies import Copy, check_size, copy_database, digest_of
from clearance.adapters.systems.sqlite.images import Head, TableHead
from clearance.adapters.systems.sqlite.options import Target
from clearance.adapters.systems.sqlite.reading import Reading
from clearance.adapters.systems.sqlite.recorder import Recorder
from clearance.adapters.systems.sqlite.result import Result, run
from clearance.adapters.systems.sqlite.schema import (
    SchemaObject,
    keeps_content,
    read_table,
    schema_objects,
    sequences,
)
from clearance.core.model import EffectClass, Exactness, Operation, Reversibility, Touch
from clearance.errors import RecoveryError

Counts = dict[tuple[str, Operation], int]  # rows of each table, by what was done to them


class _Before(Struct, frozen=True, kw_only=True):
    """What a copied database held before the statement, as far as counting needs it."""

    objects: frozenset[SchemaObject]
    rows: dict[str, int]
    columns: dict[str, tuple[str, ...]]
    sequences: dict[str, int]
    virtual: dict[str, bool]  # whether its rows can be read back


def run_with_copy(
    target: Target, connection: apsw.Connection, statement: Statement, *, has_changes: bool
) -> Attempt:
    """Behind a savepoint, which stays open. Without room for a copy it is counted, and can be taken back only
    by a rollback. Raises the driver's own error of the statement.
    """
    before = _before(connection, statement.reading)
    copied, lost = _copy(target, connection, statement, has_changes=has_changes)
    try:
        result, counts = _run(connection, statement)
    except BaseException:
        if copied:
            copied.path.unlink(missing_ok=True)
        raise
    changed = before.objects ^ schema_objects(connection)
    touches = tuple(_touches(connection, before, counts, changed=changed))
    radius = radius_of(target, statement, touches, how="change counters and schema")
    if lost:
        return Attempt(radius=replace(radius, irreversible=(lost,)), result=result, lost=lost)
    names = _names(connection, before, counts, changed=changed)
    head = new_head(
        target,
        statement.snapshot_id,
        resources=tuple(dict.fromkeys(touch.resource for touch in touches)),
        tables=tuple(TableHead(name=name, columns=()) for name in names),
        count=sum(touch.count or 0 for touch in touches),
        irreversible=temporary_things(statement.reading),
    )
    head = _with_virtual(replace(head, sequences_before=before.sequences), before)
    if copied:
        head = with_after(connection, with_copy(head, copied))
        head = store(connection, head, ())
    return Attempt(radius=with_head(radius, head), result=result, head=head)


def _run(connection: apsw.Connection, statement: Statement) -> tuple[Result, Counts]:
    """Counted without a word to this process where only one thing can be done to one table."""
    only = _only_touch(connection, statement.reading)
    before = connection.total_changes()
    recorder = Recorder(connection, most_rows=0)
    with recorder if only is None else nullcontext():
        result = run(connection, statement.text, statement.parameters, changes_rows=True)
    if only is None:
        return result, recorder.touched()
    count = connection.total_changes() - before
    return result, {only: count} if count else {}


def _only_touch(connection: apsw.Connection, reading: Reading) -> tuple[str, Operation] | None:
    """What SQLite's own counter counts, when nothing else can happen: REPLACE, triggers, foreign keys."""
    row_effects = {EffectClass.READ, EffectClass.WRITE, EffectClass.DELETE}
    objects = reading.classification.objects
    if reading.has_ddl or len(objects) != 1 or not reading.classification.effects <= row_effects:
        return None
    table = read_table(connection, objects[0].name)
    if table is None or table.kind != "table" or reading.writes != {objects[0].name}:
        return None
    return table.name, objects[0].operation


def _copy(
    target: Target, connection: apsw.Connection, statement: Statement, *, has_changes: bool
) -> tuple[Copy | None, str]:
    try:
        check_size(target, connection)
        if not statement.snapshot_id:
            return None, ""
        return copy_database(target, statement.snapshot_id, connection, has_changes=has_changes), ""
    except RecoveryError as error:
        return None, str(error)


def with_copy(head: Head, copied: Copy) -> Head:
    return replace(head, file=copied.path.name, file_digest=copied.digest, bytes=copied.bytes)


def with_after(connection: apsw.Connection, head: Head, *, known: Mapping[str, str] | None = None) -> Head:
    """How the tables, the schema and the sequences stand now; `known` are digests that were just taken."""
    digests = dict(known or {})
    for table in head.tables:
        if table.name not in digests:
            digests[table.name] = digest_of(connection, table.name)
    return replace(
        head,
        digests_after={table.name: digests[table.name] for table in head.tables},
        schema_after=tuple(sorted(schema_objects(connection))),
        sequences_after=sequences(connection),
    )


def _with_virtual(head: Head, before: _Before) -> Head:
    """Virtual tables come back by their rows, not by their pages; some keep no rows of their own."""
    virtual = {name: before.virtual[name] for name in before.virtual if name in {t.name for t in head.tables}}
    if not virtual:
        return head
    if all(virtual.values()):
        return replace(head, reversibility=Reversibility.CONTENT)
    names = ", ".join(sorted(name for name, keeps in virtual.items() if not keeps))
    lost = f"{names}: this kind of virtual table keeps no rows that could be put back"
    return replace(head, reversibility=Reversibility.NONE, irreversible=(*head.irreversible, lost))


def _before(connection: apsw.Connection, reading: Reading) -> _Before:
    """Rows are counted where DDL may make them vanish without a word to the hook, and of virtual tables."""
    named = {item.name for item in reading.classification.objects} | reading.writes
    rows, columns, virtual = {}, {}, {}
    for name in sorted(named):
        table = read_table(connection, name)
        if table is None or table.kind not in ("table", "virtual"):
            continue
        if reading.has_ddl or table.kind == "virtual":
            rows[table.name] = count_rows(connection, table.name)
        if table.kind == "virtual":
            virtual[table.name] = keeps_content(connection, name)
        columns[table.name] = table.columns
    return _Before(
        objects=schema_objects(connection),
        rows=rows,
        columns=columns,
        sequences=sequences(connection),
        virtual=virtual,
    )


def count_rows(connection: apsw.Connection, name: str) -> int:
    text = f"SELECT count(*) FROM main.{quoted(name)}"  # noqa: S608
    rows: list[Any] = connection.execute(text).fetchall()
    return int(rows[0][0])


def _touches(
    connection: apsw.Connection, before: _Before, counts: Counts, *, changed: frozenset[SchemaObject]
) -> Iterator[Touch]:
    lost = set()
    for name, rows in before.rows.items():
        table = read_table(connection, name)
        if table is None:
            lost.add(name)
            yield Touch(resource=name, operation=Operation.DELETE, count=rows)
        elif set(before.columns[name]) - set(table.columns):
            yield Touch(resource=name, operation=Operation.UPDATE, count=rows)
        elif table.kind == "virtual":
            yield _virtual_touch(connection, name, rows)
    for (name, operation), count in counts.items():
        table = read_table(connection, name)
        if name not in lost and (table is None or table.kind == "table"):
            yield Touch(resource=name, operation=operation, count=count)
    for name in sorted({item.name for item in changed}):
        yield Touch(resource=name, operation=Operation.DDL, count=1)


def _virtual_touch(connection: apsw.Connection, name: str, before: int) -> Touch:
    """By its rows where their number tells; an update, or a command of a text index, is not told apart."""
    after = count_rows(connection, name)
    direct = connection.changes()
    if after - before == direct:
        return Touch(resource=name, operation=Operation.CREATE, count=direct)
    if before - after == direct:
        return Touch(resource=name, operation=Operation.DELETE, count=direct)
    exactness = Exactness.EXACT if after == before else Exactness.UNKNOWN
    count = direct if after == before else None
    return Touch(resource=name, operation=Operation.UPDATE, count=count, exactness=exactness)


def _names(
    connection: apsw.Connection, before: _Before, counts: Counts, *, changed: frozenset[SchemaObject]
) -> list[str]:
    """The tables that may differ from the copy; shadow tables follow their virtual table."""
    names = {name for name, _ in counts} | set(before.columns)
    names |= {item.table for item in changed if item.type in ("table", "index")}
    kinds = {name: read_table(connection, name) for name in names}
    return sorted(
        name for name, table in kinds.items() if table is None or table.kind in ("table", "virtual")
    )
