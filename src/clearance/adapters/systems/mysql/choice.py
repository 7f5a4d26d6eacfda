"""What can be told of how a change chooses its rows from its text alone. Pure.

"Plain" is a WHERE of comparisons between columns and constants: asked twice of the same locked rows, it
chooses the same. Whatever is not surely so is not plain; that costs time, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from clearance.adapters.systems.mysql.catalogue import Table
from clearance.adapters.systems.mysql.change import Change
from clearance.core.classify.mysql_scan import Kind, scan

_WORDS = frozenset({"WHERE", "AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "LIKE", "TRUE", "FALSE"})
_VALUES = frozenset({Kind.STRING, Kind.NUMBER})


def is_plain(change: Change, table: Table) -> bool:
    return _only(change, (column.name for column in table.columns))


def is_by_key(change: Change, table: Table) -> bool:
    """Whether it chooses by the primary key alone, which no change that can be undone alters."""
    return not change.tail and _only(change, table.key)


def _only(change: Change, columns: Iterable[str]) -> bool:
    if change.several or change.prefix or change.ignores or change.why_not:
        return False
    known = {name.lower() for name in columns}
    tokens = scan(change.where)
    for at, token in enumerate(tokens):
        opens = at + 1 < len(tokens) and tokens[at + 1].text == "("
        match token.kind:
            case Kind.WORD if token.name.upper() in _WORDS:
                continue
            case Kind.WORD | Kind.QUOTED if token.name.lower() in known and not opens:
                continue
            case Kind.SIGN if ":" not in token.text:
                continue
            case kind if kind in _VALUES:
                continue
            case _:
                return False
    return True
