"""A request that names tables and record ids, without a statement, as the change that it may be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clearance.adapters.systems.mysql.catalogue import Table
from clearance.adapters.systems.mysql.change import Change, Target
from clearance.adapters.systems.mysql.connect import literal, quoted
from clearance.core.model import Operation
from clearance.errors import RecoveryError

_STATEMENTS = ("sql", "query", "statement")
_PARAMETERS = ("parameters", "params")
_WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "integer", "bigint"})
_MOST_IDS = 10_000


def statement_of(arguments: Mapping[str, Any]) -> str:
    """The SQL of a call, "" where it has none."""
    return next((arguments[name] for name in _STATEMENTS if isinstance(arguments.get(name), str)), "")


def parameters_of(arguments: Mapping[str, Any]) -> object:
    return next(
        (arguments[name] for name in _PARAMETERS if isinstance(arguments.get(name), list | dict)), None
    )


def record_ids(arguments: Mapping[str, Any]) -> Sequence[Any] | None:
    found = arguments.get("record_ids")
    return found if isinstance(found, list | tuple) else None


def change_of(table: Table, operation: Operation, ids: Sequence[Any] | None) -> Change:
    """The widest change that the operation can be on these rows. Raises RecoveryError for what is no key."""
    target = Target(alias=table.name[1], schema=table.name[0], table=table.name[1])
    keys = {name.lower() for name in table.key}
    others = tuple(("", column.name.lower()) for column in table.columns if column.name.lower() not in keys)
    return Change(
        verb="UPDATE" if operation is Operation.UPDATE else "DELETE",
        targets=(target,),
        references=quoted(*table.name),
        where=_where(table, ids) if ids is not None else "",
        several=True,  # tables that are saved together may reach each other's rows
        assigned=others,
    )


def _where(table: Table, ids: Sequence[Any]) -> str:
    if not ids or not table.key:
        return "WHERE FALSE"
    if len(ids) > _MOST_IDS:
        raise RecoveryError(f"more than {_MOST_IDS} record_ids; name fewer, or none for the whole table")
    columns = ", ".join(quoted(name) for name in table.key)
    return f"WHERE ({columns}) IN ({', '.join(_key(table, one) for one in ids)})"


def _key(table: Table, given: Any) -> str:
    """One key as literals. A text for a number column would match row 0, so it must be a number."""
    cells = list(given) if isinstance(given, list | tuple) else [given]
    if len(cells) != len(table.key):
        raise RecoveryError(f"a record id of {table.name[1]} has {len(table.key)} parts")
    bases = {column.name.lower(): column.base for column in table.columns}
    return (
        "("
        + ", ".join(_cell(one, bases[name.lower()]) for one, name in zip(cells, table.key, strict=True))
        + ")"
    )


def _cell(value: Any, base: str) -> str:
    text = str(value)
    if base in _WHOLE:
        if isinstance(value, bool) or not text.lstrip("-").isdecimal() or not text.isascii():
            raise RecoveryError("a record id is no number, but the table's key is")
        return str(int(text))
    if not isinstance(value, str | int):
        raise RecoveryError("a record id is neither a text nor a number")
    return literal(text)
