"""The table of images inside the guarded database: they commit with the change, or not at all.

One row per part, each with its own digest. Part 0 says what the snapshot is; the others hold rows as msgpack.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import apsw
import msgspec
from msgspec import Struct

from clearance.adapters.systems.sqlite.connection import IMAGES
from clearance.adapters.systems.sqlite.recorder import Change, TableChanges
from clearance.adapters.systems.sqlite.schema import SchemaObject, Table
from clearance.core.model import Reversibility, Saved
from clearance.errors import NotFoundError, RecoveryError

_ROWS_IN_PART: Final = 500  # about 50 kB a part: far below SQLite's limit of a value, few rows to write


class TableHead(Struct, frozen=True, kw_only=True):
    """A table as it was when its rows were kept."""

    name: str
    columns: tuple[str, ...]


class Head(Struct, frozen=True, kw_only=True):
    """What a snapshot is. `file` names a copy of the database; without one the parts hold the rows.

    `tables` are those whose rows were kept or, with a file, may differ. `has_baseline`: how the rows stood
    after the action is known, so that later changes are told apart. `undone_as` names the undo.
    """

    snapshot_id: str
    system: str
    fingerprint: str
    at: datetime
    resources: tuple[str, ...]
    tables: tuple[TableHead, ...]
    count: int
    bytes: int
    parts: int
    reversibility: Reversibility
    irreversible: tuple[str, ...] = ()
    has_baseline: bool = True
    is_settled: bool = True
    undone_as: str = ""
    sequences_before: dict[str, int] = {}
    sequences_after: dict[str, int] = {}
    file: str = ""
    file_digest: str = ""
    digests_after: dict[str, str] = {}  # of each table that a file stands for
    schema_after: tuple[SchemaObject, ...] = ()

    def saved(self) -> Saved:
        return Saved(
            snapshot_id=self.snapshot_id,
            system=self.system,
            fingerprint=self.fingerprint,
            at=self.at,
            resources=self.resources,
            count=self.count,
            bytes=self.bytes,
            reversibility=self.reversibility,
            irreversible=self.irreversible,
        )


def write_head(connection: apsw.Connection, head: Head) -> None:
    """Into the open transaction."""
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {IMAGES} (snapshot_id TEXT NOT NULL, part INTEGER NOT NULL, "
        "content BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (snapshot_id, part)) WITHOUT ROWID"
    )
    _write(connection, head.snapshot_id, 0, msgspec.msgpack.encode(head))


def write_rows(
    connection: apsw.Connection, snapshot_id: str, changes: Sequence[TableChanges]
) -> tuple[int, int]:
    """Into the open transaction, behind a head; how many parts, and how many bytes."""
    parts = size = 0
    for number, changed in enumerate(changes):
        net = changed.net()
        for start in range(0, len(net), _ROWS_IN_PART):
            parts += 1
            content = msgspec.msgpack.encode((number, net[start : start + _ROWS_IN_PART]))
            size += len(content)
            _write(connection, snapshot_id, parts, content)
    return parts, size


def read_head(connection: apsw.Connection, snapshot_id: str) -> Head | None:
    """None where there is no such snapshot. Raises RecoveryError where it is not as it was written."""
    if not connection.table_exists("main", IMAGES):
        return None
    content = _read(connection, snapshot_id, 0)
    if content is None:
        return None
    try:
        return msgspec.msgpack.decode(content, type=Head)
    except msgspec.DecodeError as error:
        raise RecoveryError(f"snapshot `{snapshot_id}` was written by another version") from error


def existing_head(connection: apsw.Connection, snapshot_id: str) -> Head:
    """Raises NotFoundError, RecoveryError."""
    head = read_head(connection, snapshot_id)
    if head is None:
        raise NotFoundError(f"no snapshot `{snapshot_id}` is kept here: it was forgotten, or never taken")
    return head


def read_rows(connection: apsw.Connection, head: Head) -> Iterator[tuple[TableHead, list[Change]]]:
    """Every part, its digest proved. Raises RecoveryError where one is missing or changed."""
    for part in range(1, head.parts + 1):
        content = _read(connection, head.snapshot_id, part)
        if content is None:
            raise RecoveryError(f"snapshot `{head.snapshot_id}`: part {part} of its images is missing")
        number, changes = msgspec.msgpack.decode(content, type=tuple[int, list[Change]])
        yield head.tables[number], changes


def remove(connection: apsw.Connection, snapshot_id: str) -> None:
    """Into the open transaction."""
    if connection.table_exists("main", IMAGES):
        connection.execute(f"DELETE FROM {IMAGES} WHERE snapshot_id = ?", (snapshot_id,))  # noqa: S608


def table_head(table: Table) -> TableHead:
    return TableHead(name=table.name, columns=table.columns)


def _write(connection: apsw.Connection, snapshot_id: str, part: int, content: bytes) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO {IMAGES} VALUES (?, ?, ?, ?)",  # noqa: S608
        (snapshot_id, part, content, _digest(snapshot_id, part, content)),
    )


def _read(connection: apsw.Connection, snapshot_id: str, part: int) -> bytes | None:
    row: Any = connection.execute(
        f"SELECT CAST(content AS BLOB), digest FROM {IMAGES} WHERE snapshot_id = ? AND part = ?",  # noqa: S608
        (snapshot_id, part),
    ).fetchone()
    if row is None:
        return None
    content = bytes(row[0])
    if _digest(snapshot_id, part, content) != row[1]:
        raise RecoveryError(f"snapshot `{snapshot_id}`: part {part} of its images was changed since")
    return content


def _digest(snapshot_id: str, part: int, content: bytes) -> bytes:
    """Over its place too: a part that was moved does not pass."""
    return hashlib.blake2b(f"{part}:{snapshot_id}:".encode() + content, digest_size=16).digest()
