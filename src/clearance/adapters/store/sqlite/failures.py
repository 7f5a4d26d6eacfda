"""What SQLite and the file system report, as a StoreError that says what to do. Names no stored value."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clearance.errors import StoreError

_ADVICE: Final = {
    "SQLITE_FULL": "the disk is full: free some space, or move the store",
    "SQLITE_READONLY": "the directory or file is read-only: make it writable for this user",
    "SQLITE_PERM": "this user may not use the file: set its owner",
    "SQLITE_CANTOPEN": "the file cannot be opened: check that the directory exists and is writable",
    "SQLITE_CORRUPT": "the file is damaged: put it aside and restore a copy, then run a verification",
    "SQLITE_NOTADB": "the file is not a database: put it aside and restore a copy, then run a verification",
    "SQLITE_BUSY": "another process kept the file locked too long: look for one that is stopped or stuck",
    "SQLITE_LOCKED": "another process kept the file locked too long: look for one that is stopped or stuck",
    "SQLITE_IOERR": "the disk reported an error: check the disk and the space left on it",
}


def store_error(error: Exception, doing: str) -> StoreError:
    """`doing` says what was tried ("append to the journal")."""
    if isinstance(error, OSError):
        return StoreError(f"Could not {doing}: {error.strerror or type(error).__name__}. Check the path.")
    code = getattr(error, "sqlite_errorname", "") or type(error).__name__
    family = "_".join(code.split("_")[:2])
    advice = _ADVICE.get(family, "the database refused; see the code")
    return StoreError(f"Could not {doing}: {advice} [{code}].")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn every error of SQLite and of the file system into a StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, doing) from error
