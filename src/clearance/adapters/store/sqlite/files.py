"""Files of the store: made whole or not at all, readable by their owner only. Knows no table."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

BUSY_SECONDS: Final = 5.0  # how long a writer waits for another process before it gives up
_UNFINISHED: Final = ".new-"
_UNFINISHED_SECONDS: Final = 3600.0  # making a file takes milliseconds; an hour old, its maker is gone
_SIDE_FILES: Final = ("-wal", "-shm", "-journal")


def private_directory(path: Path) -> None:
    """Make a directory for this user alone. One that exists is left as it is."""
    path.mkdir(mode=0o700, exist_ok=True)


def uri_of(path: Path) -> str:
    """For a file that exists: SQLite must never make an empty one in its place."""
    return f"{path.absolute().as_uri()}?mode=rw"


def connect(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection to a file that exists, without Python's implicit transactions."""
    return sqlite3.connect(
        uri_of(path),
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )


def create(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a database that `fill` writes. Other processes see it whole; the first to finish wins."""
    if path.exists():
        return
    unfinished = path.with_name(f"{_UNFINISHED}{secrets.token_hex(8)}")
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(connect(unfinished)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN")
            fill(connection)
            connection.execute("COMMIT")
        with suppress(FileExistsError):
            path.hardlink_to(unfinished)
        _sync(path.parent)
    finally:
        remove(unfinished)


def remove(path: Path) -> None:
    """Take away a database and its side files."""
    for side in ("", *_SIDE_FILES):
        path.with_name(path.name + side).unlink(missing_ok=True)


def remove_unfinished(directory: Path) -> None:
    """Take away what a process that died while making a file has left."""
    for left in directory.glob(f"{_UNFINISHED}*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _UNFINISHED_SECONDS:
                left.unlink()


_sync_data = getattr(os, "fdatasync", os.fsync)


def sync_log(path: Path) -> None:
    """Make every commit to a database power-safe: in WAL mode they are all in its log or checkpointed.

    The first commit has to be FULL: SQLite syncs the directory of a log that it made with its own first sync.
    """
    with suppress(FileNotFoundError):
        _sync(path.with_name(f"{path.name}-wal"), _sync_data)


def _sync(path: Path, sync: Callable[[int], None] = os.fsync) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
