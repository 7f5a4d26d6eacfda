"""The driver's placeholders made PostgreSQL's own, so that the text that was read is the text that runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

_MARK: Final = re.compile(r"%(?:\(([^)]*)\))?(.?)", re.S)


def native(statement: str, parameters: object) -> tuple[str, list[Any] | None]:
    """`%s` and `%(name)s` become `$1`, `$2` …; without parameters the text stands as it is.

    As in the driver, a `%` that is meant is written `%%`, in a literal too. Raises the driver's own error.
    """
    if parameters is None:
        return statement, None
    given: list[Any] = []
    places: dict[str, int] = {}

    def place(match: re.Match[str]) -> str:
        name, kind = match.groups()
        if kind == "%" and name is None:
            return "%"
        if kind not in ("s", "b", "t"):
            raise psycopg.ProgrammingError(
                "only %s, %b, %t and %(name)s are placeholders; write %% for a per cent"
            )
        if name is None:
            given.append(_by_place(parameters, len(given)))
            return f"${len(given)}"
        if name not in places:
            given.append(_by_name(parameters, name))
            places[name] = len(given)
        return f"${places[name]}"

    text = _MARK.sub(place, statement)
    _all_used(parameters, given, named=bool(places))
    return text, given


def assumed(statement: str) -> str:
    """The text with placeholders made native, for reading alone, where the parameters are not known."""
    numbers = iter(range(1, len(statement) + 2))
    return _MARK.sub(lambda m: "%" if m.group(2) == "%" else f"${next(numbers)}", statement)


def _by_place(parameters: object, place: int) -> Any:
    if not isinstance(parameters, Sequence) or isinstance(parameters, str | bytes):
        raise psycopg.ProgrammingError("positional placeholders need a sequence of parameters")
    if place >= len(parameters):
        raise psycopg.ProgrammingError("the statement has more placeholders than parameters")
    return parameters[place]


def _by_name(parameters: object, name: str) -> Any:
    if not isinstance(parameters, Mapping):
        raise psycopg.ProgrammingError("named placeholders need a mapping of parameters")
    if name not in parameters:
        raise psycopg.ProgrammingError("a named placeholder has no parameter")
    return parameters[name]


def _all_used(parameters: object, given: list[Any], *, named: bool) -> None:
    if named and isinstance(parameters, Mapping):
        return
    if named or (isinstance(parameters, Sequence) and len(parameters) != len(given)):
        raise psycopg.ProgrammingError(
            "the statement has fewer placeholders than parameters, or mixes two kinds"
        )
