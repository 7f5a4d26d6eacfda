"""The configured database: measure, save, verify, restore, each on a connection of its own. Thread-safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import apsw
from msgspec.structs import replace

from clearance.adapters.systems.sqlite.attempt import begin_write, set_savepoint, store
from clearance.adapters.systems.sqlite.attempt_copy import with_after
from clearance.adapters.systems.sqlite.connection import connect, environment_of, unavailable
from clearance.adapters.systems.sqlite.copies import check_copy, file_of
from clearance.adapters.systems.sqlite.images import (
    Head,
    existing_head,
    read_head,
    read_rows,
    remove,
    write_head,
    write_rows,
)
from clearance.adapters.systems.sqlite.locating import locate
from clearance.adapters.systems.sqlite.options import Target, read_target
from clearance.adapters.systems.sqlite.recorder import Change, TableChanges
from clearance.adapters.systems.sqlite.rehearsal import measure_records, measure_statement, statement_of
from clearance.adapters.systems.sqlite.restore import restore
from clearance.adapters.systems.sqlite.saving import save_records, save_statement
from clearance.adapters.systems.sqlite.schema import read_table
from clearance.core.model import Request, Restored, RestoreMode, Saved
from clearance.errors import RecoveryError
from clearance.ports import Measured, SystemInfo

_CAN: Final = (
    "counts every row that a statement changes, through triggers, foreign key actions and REPLACE",
    "restores rows, tables and the schema exactly, or names what was changed since",
)
_CANNOT: Final = (
    "take back what was read meanwhile, or what temporary tables held",
    "restore virtual tables that keep no rows of their own; others get their rows back, not their pages",
    "count what a connection outside of Clearance writes",
)


def open_system(name: str, options: Mapping[str, Any], *, images: Path) -> SqliteSystem:
    """Raises ConfigurationError."""
    return SqliteSystem(read_target(name, options, images=images))


class SqliteSystem:
    """One database file. It keeps no connection between calls."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @property
    def name(self) -> str:
        return self._target.name

    def info(self) -> SystemInfo:
        with self._connection() as connection:
            return SystemInfo(
                name=self.name,
                kind="sqlite",
                fingerprint=self._target.fingerprint,
                environment=environment_of(self._target, connection),
                can=_CAN,
                cannot=_CANNOT,
            )

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        with self._connection() as connection:
            text = statement_of(request)
            if text is not None:
                return measure_statement(self._target, connection, request, text)
            return measure_records(self._target, connection, request, names)

    def save(self, request: Request, names: Sequence[str], *, snapshot_id: str) -> Saved:
        with self._connection() as connection:
            begin_write(connection)
            known = read_head(connection, snapshot_id)
            if known is not None:
                return known.saved()
            set_savepoint(connection)
            text = statement_of(request)
            if text is not None:
                found = save_statement(self._target, connection, request, text, snapshot_id=snapshot_id)
            else:
                found = save_records(self._target, connection, request, names, snapshot_id=snapshot_id)
            head = store(connection, found.head, found.changes)
            connection.execute("COMMIT")
            return head.saved()

    def settle(self, snapshot_id: str) -> None:
        with self._connection() as connection:
            begin_write(connection)
            head = read_head(connection, snapshot_id)
            if head is None or head.is_settled or head.undone_as:
                return
            head = with_after(connection, head) if head.file else _with_rows_now(connection, head)
            write_head(connection, replace(head, is_settled=True, has_baseline=True))
            connection.execute("COMMIT")

    def verify(self, snapshot_id: str) -> Saved:
        with self._connection() as connection:
            head = existing_head(connection, snapshot_id)
            count = sum(len(changes) for _, changes in read_rows(connection, head))
            if head.file:
                check_copy(self._target, head.file, head.file_digest)
            elif count != head.count:
                raise RecoveryError(
                    f"snapshot `{snapshot_id}` holds {count} rows, it was saved with {head.count}"
                )
            return head.saved()

    def restore(self, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode) -> Restored:
        with unavailable(self.name):
            return restore(self._target, snapshot_id, as_snapshot=as_snapshot, mode=mode)

    def forget(self, snapshot_id: str) -> None:
        with self._connection() as connection:
            connection.execute("PRAGMA secure_delete = ON").fetchall()
            begin_write(connection)
            remove(connection, snapshot_id)
            connection.execute("COMMIT")
        file_of(self._target, snapshot_id).unlink(missing_ok=True)

    def close(self) -> None:
        """There is nothing to let go of."""

    @contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        with unavailable(self.name), closing(connect(self._target)) as connection:
            yield connection


def _with_rows_now(connection: apsw.Connection, head: Head) -> Head:
    """The kept rows, each with how it stands now as its baseline."""
    found: dict[str, TableChanges] = {}
    for number, (kept, changes) in enumerate(read_rows(connection, head)):
        table = read_table(connection, kept.name)
        if table is None or table.columns != kept.columns:
            continue  # the restore will say that the table was changed
        group = found.setdefault(kept.name, TableChanges(table=table, rows={}))
        for place, change in enumerate(changes):
            probe = Change(rowid=change.rowid, before=change.before, after=change.after or change.before)
            rowid, now = locate(connection, table, probe)
            group.rows[(number, place)] = Change(rowid=rowid, before=change.before, after=now)
    return _rewritten(connection, head, list(found.values()))


def _rewritten(connection: apsw.Connection, head: Head, changes: list[TableChanges]) -> Head:
    remove(connection, head.snapshot_id)
    tables = tuple(
        table for table in head.tables if table.name in {changed.table.name for changed in changes}
    )
    parts, size = write_rows(connection, head.snapshot_id, changes)
    count = sum(len(changed.net()) for changed in changes)
    return replace(head, tables=tables, parts=parts, bytes=size, count=count)
