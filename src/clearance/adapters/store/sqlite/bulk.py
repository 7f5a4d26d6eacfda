"""Many rows in few steps: each step of SQLite lets go of the interpreter and may wait to get it back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, TypeVar

Row = tuple[Any, ...]
T = TypeVar("T")

_MOST_ROWS: Final = 32  # of 16 columns: under the 999 parameters that SQLite takes in every version


def insert(connection: sqlite3.Connection, rows: Sequence[Row], *, into: str, on_conflict: str = "") -> None:
    """Insert rows of one length. `into` and `on_conflict` are SQL of this package's own."""
    for group in _groups(rows):
        connection.execute(_insert(into, len(group), len(group[0]), on_conflict), _flat(group))


def among(connection: sqlite3.Connection, query: str, values: Sequence[str]) -> Iterator[Row]:
    """What `query … IN (values)` gives. A column that leads an index is searched, not scanned."""
    for group in _groups(values):
        yield from connection.execute(f"{query} IN ({', '.join('?' * len(group))})", group)


def _groups(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """By powers of two, so that a handful of statements serves every number of rows."""
    start = 0
    while start < len(rows):
        size = min(_MOST_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
        yield rows[start : start + size]
        start += size


def _flat(rows: Iterable[Row]) -> list[Any]:
    return list(chain.from_iterable(rows))


@lru_cache(maxsize=64)
def _insert(into: str, rows: int, columns: int, on_conflict: str) -> str:
    return f"{into} VALUES {_rows(rows, columns)} {on_conflict}"


@lru_cache(maxsize=64)
def _rows(rows: int, columns: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)
