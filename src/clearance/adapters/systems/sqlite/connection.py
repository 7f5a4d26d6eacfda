"""Connections whose settings are pinned, and SQLite's errors as ours. Runs no statement of an agent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import apsw

from clearance.adapters.systems.sqlite.options import Target
from clearance.core.model import Environment
from clearance.errors import SystemUnavailableError

OWN: Final = "_clearance_"  # tables of ours begin with it; no guarded statement may touch them
IMAGES: Final = OWN + "images"
MARKER: Final = OWN + "marker"
_FLAGS: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI  # never made, only opened
_UNAVAILABLE: Final = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.CantOpenError,
    apsw.NotADBError,
    apsw.CorruptError,
    apsw.IOError,
    apsw.FullError,
    apsw.ReadOnlyError,
)


def quoted(name: str) -> str:
    """An identifier for a statement of ours."""
    return '"' + name.replace('"', '""') + '"'


def connect(target: Target) -> apsw.Connection:
    """A connection where foreign keys act and REPLACE fires triggers, whatever the build's defaults are."""
    target.fingerprint  # noqa: B018  a missing file is refused here, and never made
    with unavailable(target.name):
        connection = apsw.Connection(target.path.as_uri(), flags=_FLAGS)
        connection.set_busy_timeout(int(target.options.busy_timeout_seconds * 1000))
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0)
        connection.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.execute("PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON").fetchall()
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return connection


def connect_to_restore(target: Target) -> apsw.Connection:
    """A connection where nothing acts by itself: what is put back must not set anything off."""
    connection = connect(target)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = OFF").fetchall()
    return connection


@contextmanager
def unavailable(name: str) -> Iterator[None]:
    """SQLite's errors about the file as SystemUnavailableError; errors of a statement stay the driver's."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as error:
        raise SystemUnavailableError(
            f"system `{name}`: the database is locked by another connection: try again, or raise "
            "`busy_timeout_seconds`"
        ) from error
    except _UNAVAILABLE as error:
        raise SystemUnavailableError(f"system `{name}`: SQLite answered {type(error).__name__}") from error


def environment_of(target: Target, connection: apsw.Connection) -> Environment:
    """What the options say of this fingerprint; then the marker's only row; else UNKNOWN."""
    told = target.options.environments.get(target.fingerprint)
    if told is not None:
        return told
    if not connection.table_exists("main", MARKER):
        return Environment.UNKNOWN
    try:
        rows = connection.execute(f"SELECT environment FROM {MARKER} LIMIT 2").fetchall()  # noqa: S608
        return Environment(str(rows[0][0])) if len(rows) == 1 else Environment.UNKNOWN
    except (apsw.SQLError, ValueError):
        return Environment.UNKNOWN
