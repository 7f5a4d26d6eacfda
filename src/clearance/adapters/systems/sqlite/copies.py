"""Whole copies of the database file, for what rows alone cannot keep: the schema, virtual tables, many rows.

A copy is on disk, whole, before the transaction that names it commits. Digests of tables tell later changes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import apsw
from msgspec import Struct

from clearance.adapters.systems.sqlite.connection import IMAGES, quoted
from clearance.adapters.systems.sqlite.options import Target
from clearance.adapters.systems.sqlite.recorder import Row, same
from clearance.adapters.systems.sqlite.schema import read_table
from clearance.errors import RecoveryError

_CHUNK_BYTES: Final = 1 << 20
_ROWS_AT_ONCE: Final = 500  # encoded together: half the time of one by one, and still small
_PAGES: Final = 1000  # copied in one step, 4 MB at the usual page size


def file_of(target: Target, snapshot_id: str) -> Path:
    """A name that no snapshot id can lead out of the directory."""
    return target.images / f"{hashlib.blake2b(snapshot_id.encode(), digest_size=16).hexdigest()}.sqlite"


class Copy(Struct, frozen=True, kw_only=True):
    path: Path
    digest: str
    bytes: int


def check_size(target: Target, connection: apsw.Connection) -> None:
    """Raises RecoveryError above the limit."""
    pages, size = (int(connection.pragma(name)) for name in ("page_count", "page_size"))
    most = target.options.most_backup_bytes
    if pages * size > most:
        raise RecoveryError(
            f"system `{target.name}`: the database has {pages * size} bytes, a copy may have {most}: "
            "raise `most_backup_bytes`, or act on fewer rows"
        )


def copy_database(
    target: Target, snapshot_id: str, connection: apsw.Connection, *, has_changes: bool
) -> Copy:
    """Copy what the connection sees; its transaction keeps others from writing meanwhile.

    Without changes of its own a second connection sees the same, page by page; with some, only this one does,
    and the copy passes through memory. Raises RecoveryError above the limit, and where it cannot be written.
    """
    check_size(target, connection)
    path = file_of(target, snapshot_id)
    unfinished = path.with_suffix(".part")
    try:
        target.images.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(target, unfinished, connection, has_changes=has_changes)
        digest = _digest(unfinished)
        unfinished.replace(path)
        _sync(path.parent)
    except (OSError, apsw.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise RecoveryError(
            f"system `{target.name}`: no copy could be written ({type(error).__name__})"
        ) from error
    return Copy(path=path, digest=digest, bytes=path.stat().st_size)


def _write(target: Target, path: Path, connection: apsw.Connection, *, has_changes: bool) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    if has_changes:
        path.write_bytes(connection.serialize("main"))
    else:
        _copy_pages(target, path)
    _leave_out_images(path)
    _sync(path)


def _copy_pages(target: Target, path: Path) -> None:
    source = apsw.Connection(str(target.path), flags=apsw.SQLITE_OPEN_READWRITE)
    copy = apsw.Connection(str(path))
    try:
        source.set_busy_timeout(int(target.options.busy_timeout_seconds * 1000))
        with copy.backup("main", source, "main") as running:
            while not running.done:
                running.step(_PAGES)
    finally:
        copy.close()
        source.close()


def _leave_out_images(path: Path) -> None:
    """Images of other snapshots do not belong into a copy: forgetting one must forget it everywhere."""
    copy = apsw.Connection(str(path))
    try:
        copy.execute("PRAGMA journal_mode = DELETE; PRAGMA secure_delete = ON").fetchall()
        if copy.table_exists("main", IMAGES):
            copy.execute(f"DELETE FROM {IMAGES}")  # noqa: S608
    finally:
        copy.close()


@contextmanager
def opened_copy(target: Target, file: str, digest: str) -> Iterator[apsw.Connection]:
    """A copy to read from. Raises RecoveryError where it is missing or not as it was written."""
    path = target.images / file
    check_copy(target, file, digest)
    copy = apsw.Connection(f"{path.absolute().as_uri()}?mode=ro&immutable=1", flags=_READ_URI)
    try:
        yield copy
    finally:
        copy.close()


_READ_URI: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def check_copy(target: Target, file: str, digest: str) -> None:
    """Read the copy whole."""
    try:
        found = _digest(target.images / file)
    except OSError as error:
        raise RecoveryError(
            f"system `{target.name}`: the copy `{file}` cannot be read ({error.strerror})"
        ) from error
    if found != digest:
        raise RecoveryError(f"system `{target.name}`: the copy `{file}` was changed since it was written")


def digest_of(connection: apsw.Connection, name: str) -> str:
    """Of everything a table holds, in the order of its rowid or key; empty where there is no such table.

    Rowids that are no column are left out: VACUUM gives new ones, and nobody can refer to them.
    """
    table = read_table(connection, name)
    if table is None:
        return ""
    names = [quoted(column) for column in table.columns]
    order = table.rowid or ", ".join(names[at] for at in table.key) or ", ".join(names)
    source = f"FROM main.{quoted(table.name)} ORDER BY {order}"
    try:
        return _digest_of_rows(connection.execute(f"SELECT {', '.join(names)} {source}"))
    except UnicodeDecodeError:  # texts that are not UTF-8: as bytes, said to be texts
        exact = "typeof({0}) = 'text', iif(typeof({0}) = 'text', CAST({0} AS BLOB), {0})"
        columns = ", ".join(exact.format(column) for column in names)
        return _digest_of_rows(connection.execute(f"SELECT {columns} {source}"))


def _digest_of_rows(rows: Iterator[Row]) -> str:
    found = hashlib.blake2b(digest_size=16)
    while some := tuple(islice(rows, _ROWS_AT_ONCE)):
        found.update(same(some))
    return found.hexdigest()


def _digest(path: Path) -> str:
    found = hashlib.blake2b(digest_size=32)
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
