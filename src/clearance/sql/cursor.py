"""The cursor of PEP 249 over a guarded connection. Every result is in memory before it is handed out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from clearance.core.model import CheckResult
from clearance.errors import RequestError

if TYPE_CHECKING:
    from clearance.sql.connection import Connection


class Cursor:
    """Made by `Connection.cursor`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self.cleared: CheckResult | None = None  # the last statement's decision: its action_id, its radius
        self._done: Any = None
        self._rowcount = -1

    def execute(self, statement: str, parameters: object = None) -> Self:
        """Clear and run one statement. Raises PolicyViolationError, or the driver's own error."""
        self.cleared, self._done, self._rowcount = None, None, -1
        self.cleared, self._done = self.connection.run(statement, parameters)
        self._rowcount = int(getattr(self._done, "rowcount", -1))
        return self

    def executemany(self, statement: str, parameters: Sequence[object]) -> Self:
        """One action for each set of parameters; the first refusal ends it."""
        total = 0
        for one in parameters:
            self.execute(statement, one)
            total += max(self._rowcount, 0)
        self._rowcount = total
        return self

    @property
    def description(self) -> Any:
        return None if self._done is None else self._done.description

    @property
    def rowcount(self) -> int:
        return self._rowcount

    @property
    def lastrowid(self) -> Any:
        return getattr(self._done, "lastrowid", None)

    def fetchone(self) -> Any:
        return self._results().fetchone()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return list(self._results().fetchmany(self.arraysize if size is None else size))

    def fetchall(self) -> list[Any]:
        return list(self._results().fetchall())

    def close(self) -> None:
        """Let the results go."""
        self._done = None

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Nothing to prepare (PEP 249 allows that)."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing to prepare (PEP 249 allows that)."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _results(self) -> Any:
        if self._done is None:
            raise RequestError("No statement has been run on this cursor.", reason="wrong_value")
        return self._done
