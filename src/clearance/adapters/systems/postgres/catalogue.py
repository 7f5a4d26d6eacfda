"""The catalogue of a live PostgreSQL, as the classifier's values. Reads the system tables, changes nothing.

It asks on the session's own connection, so names mean what they mean to the statement that is judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from clearance.core.classify.postgres_catalogue import (
    Event,
    Fires,
    Function,
    Reaches,
    Relation,
    RelationKind,
)
from clearance.core.model.action import Operation
from clearance.errors import SystemUnavailableError

KEEP_SECONDS: Final = 1.0  # an answer is asked for again after it; the first costs about 1 ms a relation
_KINDS: Final = {
    "r": RelationKind.TABLE,
    "p": RelationKind.TABLE,
    "v": RelationKind.VIEW,
    "m": RelationKind.MATERIALIZED,
    "f": RelationKind.FOREIGN,
    "S": RelationKind.SEQUENCE,
}
_Answer = TypeVar("_Answer")


class DatabaseCatalogue:
    """Keeps answers for `keep_seconds`; `forget` after a statement that may have changed a shape or a path.

    Needs no right but the one to connect. Raises SystemUnavailableError where the server does not answer, and
    inside a transaction that has already failed.
    """

    def __init__(self, connection: Connection[Any], *, keep_seconds: float = KEEP_SECONDS) -> None:
        self._connection = connection
        self._keep_seconds = keep_seconds
        self._answers: dict[object, Any] = {}
        self._since = time.monotonic()

    def forget(self) -> None:
        """Ask anew from now on."""
        self._answers.clear()
        self._since = time.monotonic()

    def functions(self, schema: str | None, name: str) -> tuple[Function, ...]:
        def ask() -> tuple[Function, ...]:
            rows = self._rows("catalogue_names.sql", {"schema": schema, "name": name})
            return self._by_number(row[0] for row in rows)

        return self._kept(("functions", schema, name), ask)

    def relation(self, schema: str | None, name: str) -> Relation | None:
        def ask() -> Relation | None:
            rows = self._rows("catalogue_relation.sql", {"name": _quoted(schema, name)})
            return self._relation(rows[0]) if rows else None

        return self._kept(("relation", schema, name), ask)

    def operators(self, name: str) -> tuple[Function, ...]:
        return self._overview("operator", name)

    def attributes(self, name: str) -> tuple[Function, ...]:
        return self._overview("attribute", name)

    def casts(self) -> tuple[Function, ...]:
        return self._overview("cast", "")

    def event_triggers(self) -> tuple[Function, ...]:
        return self._overview("event trigger", "")

    def type_functions(self, schema: str | None, name: str) -> tuple[Function, ...] | None:
        def ask() -> tuple[Function, ...] | None:
            rows = self._rows("catalogue_type.sql", {"name": _quoted(schema, name)})
            return self._by_number(rows[0][0]) if rows else None

        return self._kept(("type", schema, name), ask)

    def _relation(self, row: tuple[Any, ...]) -> Relation:
        schema, name, kind, is_builtin, definition, rules, fires, reaches, children = row
        functions = {
            number: self._by_number([number]) for number in self._loaded({pair[1] for pair in fires})
        }
        return Relation(
            schema=schema,
            name=name,
            kind=_KINDS.get(kind, RelationKind.OTHER),
            is_builtin=is_builtin,
            definition=definition,
            rules=tuple(rules),
            fires=tuple(
                Fires(event=Event(event), function=function)
                for event, number in fires
                for function in functions.get(number, ())
            ),
            reaches=tuple(_reaches(item) for item in reaches),
            children=tuple((where[0], where[1]) for where in children),
        )

    def _overview(self, kind: str, name: str) -> tuple[Function, ...]:
        def ask() -> dict[tuple[str, str], list[int]]:
            found: dict[tuple[str, str], list[int]] = {}
            for what, word, number in self._rows("catalogue_overview.sql", {}):
                found.setdefault((what, word), []).append(number)
            return found

        return self._by_number(self._kept("overview", ask).get((kind, name), ()))

    def _by_number(self, numbers: Iterable[int]) -> tuple[Function, ...]:
        return tuple(
            function
            for number in self._loaded(set(numbers))
            for function in self._answers.get(("number", number), ())
        )

    def _loaded(self, numbers: set[int]) -> list[int]:
        """The same numbers, sorted, now that every one of them is in the answers."""
        missing = sorted(number for number in numbers if ("number", number) not in self._answers)
        if missing:
            found: dict[int, list[Function]] = {number: [] for number in missing}
            for row in self._rows("catalogue_functions.sql", {"oids": missing}):
                found[row[0]].append(_function(row))
            self._answers.update({("number", number): tuple(each) for number, each in found.items()})
        return sorted(numbers)

    def _kept(self, key: object, ask: Callable[[], _Answer]) -> _Answer:
        if time.monotonic() - self._since > self._keep_seconds:
            self.forget()
        if key not in self._answers:
            self._answers[key] = ask()
        answer: _Answer = self._answers[key]
        return answer

    def _rows(self, name: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor(row_factory=tuple_row) as cursor:
                return cursor.execute(_query(name), parameters, prepare=True).fetchall()
        except psycopg.Error as error:
            raise SystemUnavailableError(
                f"PostgreSQL did not answer about its catalogue (SQLSTATE {error.sqlstate or 'none'})"
            ) from None


def _function(row: tuple[Any, ...]) -> Function:
    _, schema, name, language, is_builtin, extension, volatility, definition, settings = row
    return Function(
        schema=schema,
        name=name,
        language=language,
        is_builtin=is_builtin,
        extension=extension,
        volatility=volatility,
        definition=definition,
        settings=tuple(settings),
    )


def _reaches(item: list[Any]) -> Reaches:
    event, schema, name, operation, columns = item
    return Reaches(
        event=Event(event),
        schema=schema,
        name=name,
        operation=Operation(operation),
        columns=frozenset(columns),
    )


@cache
def _query(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


def _quoted(schema: str | None, name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name) if part is not None)
