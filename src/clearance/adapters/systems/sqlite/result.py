"""What one statement returned, whole, in the shape of a DB-API cursor. Holds no connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from clearance.core.classify.sqlite_words import pragma_effect
from clearance.core.model import EffectClass
from clearance.errors import SystemUnavailableError

Description = tuple[tuple[str, None, None, None, None, None, None], ...]


class Result:
    """The rows, buffered: the statement has ended, nothing of it can still fail while rows are fetched."""

    def __init__(
        self,
        rows: Sequence[tuple[Any, ...]] = (),
        *,
        description: Description | None = None,
        rowcount: int = -1,
        lastrowid: int | None = None,
    ) -> None:
        self.description = description
        self.rowcount = rowcount
        self.lastrowid = lastrowid
        self.arraysize = 1
        self._rows = list(rows)
        self._at = 0

    def fetchone(self) -> tuple[Any, ...] | None:
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        start = self._at
        self._at = min(len(self._rows), start + (self.arraysize if size is None else size))
        return self._rows[start : self._at]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.fetchmany(len(self._rows))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def __len__(self) -> int:
        """How many rows came back in all."""
        return len(self._rows)

    def close(self) -> None:
        self._rows = []


def run(
    connection: apsw.Connection,
    statement: str,
    parameters: object,
    *,
    changes_rows: bool,
    rewrites_file: bool = False,
) -> Result:
    """Run exactly one statement to its end. Raises the driver's own error."""
    watch = _Watch()
    before = connection.authorizer, connection.exec_trace
    # VACUUM attaches a file of its own; what reads as VACUUM INTO never comes here.
    connection.authorizer = None if rewrites_file else _allow
    connection.exec_trace = watch.one
    try:
        # Not from the cache: a statement that was prepared without the change hook may truncate unseen.
        bindings: Any = parameters if parameters else None
        cursor = connection.execute(statement, bindings, can_cache=False)
        rows = cursor.fetchall() if watch.description is not None else []
    except apsw.ExecTraceAbort as error:
        raise SystemUnavailableError("more than one statement was given: run them one by one") from error
    finally:
        connection.authorizer, connection.exec_trace = before
    return Result(
        rows,
        description=watch.description,
        rowcount=connection.changes() if changes_rows else -1,
        lastrowid=connection.last_insert_rowid() if changes_rows else None,
    )


class _Watch:
    """Sees each statement of a text before its first step, and stops the second."""

    def __init__(self) -> None:
        self.description: Description | None = None
        self._seen = 0

    def one(self, cursor: apsw.Cursor, _sql: str, _bindings: object) -> bool:
        self._seen += 1
        if self._seen == 1:
            found = cursor.get_description()
            self.description = tuple((column[0], *[None] * 6) for column in found) or None  # type: ignore[misc]
        return self._seen == 1


_NEVER = frozenset({apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH, apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT})


def _allow(code: int, one: str | None, two: str | None, _schema: str | None, _by: str | None) -> int:
    """The last line: what was refused by reading must not come through running either."""
    if code in _NEVER or (code == apsw.SQLITE_FUNCTION and two == "load_extension"):
        return apsw.SQLITE_DENY
    if code == apsw.SQLITE_PRAGMA and pragma_effect(one or "", two) is EffectClass.UNKNOWN:
        return apsw.SQLITE_DENY
    return apsw.SQLITE_OK
