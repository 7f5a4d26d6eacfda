"""One UPDATE, DELETE or INSERT taken apart: its targets, and what in its text chooses the rows. Pure.

The parts are cut from the statement's own tokens, never written anew, so that they choose what it chooses.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace
from sqlglot import exp
from sqlglot.errors import SqlglotError

from clearance.core.classify.mysql_dml import parse, sources, table_name, target_nodes, verb
from clearance.core.classify.mysql_scan import Kind, Token, UnreadableError, depths, join, scan, split
from clearance.core.classify.mysql_words import MODIFIERS

# These may give another value, or choose another row, each time that they are asked.
_VOLATILE = frozenset(
    {
        "RAND",
        "UUID",
        "UUID_SHORT",
        "SYSDATE",
        "RANDOM_BYTES",
        "SYS_GUID",
        "FOUND_ROWS",
        "ROW_COUNT",
        "NEXTVAL",
    }
)
_JOINS = frozenset({",", "JOIN", "STRAIGHT_JOIN"})
_CLAUSES = frozenset({"WHERE", "ORDER", "LIMIT", "RETURNING"})


class Target(Struct, frozen=True, kw_only=True):
    """A table whose rows are changed, as the statement calls it. `schema` is empty where it names none."""

    alias: str
    schema: str
    table: str


class Change(Struct, frozen=True, kw_only=True):
    """`prefix` is the WITH, `references` the list of tables, `tail` ORDER BY and LIMIT.

    `assigned` are (alias or "", column in lower case), `ordered` the plain columns of ORDER BY.
    `why_not` says why what it chooses cannot be chosen a second time.
    """

    verb: str
    targets: tuple[Target, ...]
    prefix: str = ""
    references: str = ""
    where: str = ""
    tail: str = ""
    assigned: tuple[tuple[str, str], ...] = ()
    limited: bool = False
    ordered: tuple[str, ...] = ()
    several: bool = False
    ignores: bool = False
    why_not: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()  # INSERT: the columns of a plain VALUES list
    values: tuple[tuple[str, ...], ...] = ()  # and its rows, as text
    fresh: bool = False  # INSERT: no row can be replaced, changed or left out


def take_apart(text: str) -> Change | None:
    """None for what is not one UPDATE, DELETE, INSERT or REPLACE that reads the same on every server."""
    try:
        parts = split(scan(text))
        if len(parts) != 1 or any(token.layer for token in parts[0]):
            return None
        tokens = parts[0]
        tree = parse(tokens)
    except (UnreadableError, SqlglotError, RecursionError, MemoryError, ValueError):
        return None
    match verb(tokens):
        case "UPDATE":
            return _update(tokens, tree)
        case "DELETE":
            return _delete(tokens, tree)
        case "INSERT" | "REPLACE":
            return _insert(tokens, tree)
        case _:
            return None


def _update(tokens: Sequence[Token], tree: exp.Expr) -> Change | None:
    head, body = _head(tokens)
    places = _places(tokens, body, frozenset({"SET"}) | _CLAUSES)
    if "SET" not in places:
        return None
    columns = [part.this for part in tree.expressions if isinstance(part.this, exp.Column)]
    if len(columns) != len(tree.expressions):
        return None
    return replace(
        _chosen(tokens, tree, head, places, references=slice(body, places["SET"])),
        assigned=tuple((column.table.lower(), column.name.lower()) for column in columns),
    )


def _delete(tokens: Sequence[Token], tree: exp.Expr) -> Change | None:
    head, body = _head(tokens)
    places = _places(tokens, body, frozenset({"FROM", "USING"}) | _CLAUSES)
    if "FROM" not in places:
        return None
    start = places.get("USING", places["FROM"]) + 1
    end = min([place for word, place in places.items() if word in _CLAUSES] or [len(tokens)])
    return _chosen(tokens, tree, head, places, references=slice(start, end))


def _insert(tokens: Sequence[Token], tree: exp.Expr) -> Change | None:
    found = target_nodes(tree)
    if len(found) != 1 or not isinstance(tree, exp.Insert):
        return None
    replaces = verb(tokens) == "REPLACE" or tree.args.get("conflict") is not None
    fresh = not (replaces or tree.args.get("ignore"))
    keys, values = _values(tokens, tree) if fresh else ((), ())
    return Change(
        verb="INSERT" if not replaces else "REPLACE",
        targets=(_target(found[0]),),
        keys=keys,
        values=values,
        fresh=fresh,
        ignores=bool(tree.args.get("ignore")),
    )


def _chosen(
    tokens: Sequence[Token], tree: exp.Expr, head: int, places: dict[str, int], *, references: slice
) -> Change:
    """What an UPDATE and a DELETE have in common: how they choose their rows."""
    listed = tokens[references]
    limit = places.get("LIMIT")
    end = places.get("RETURNING", len(tokens))
    tail = min(places.get("ORDER", end), limit if limit is not None else end)
    where = places.get("WHERE")
    chosen = (*tokens[:head], *listed, *tokens[where or tail : end])
    joined = any(
        token.name in _JOINS for token, level in zip(listed, depths(listed), strict=True) if level == 0
    )
    return Change(
        verb=verb(tokens),
        references=join(listed),
        targets=tuple(_target(table) for table in target_nodes(tree)),
        prefix=join(tokens[:head]),
        where=join(tokens[where:tail]) if where is not None else "",
        tail=join(tokens[tail:end]),
        limited=limit is not None,
        ordered=_ordered(tree),
        several=joined or len(sources(tree)) != 1 or bool(tree.args.get("tables") or tree.args.get("using")),
        ignores=any(token.name == "IGNORE" for token in tokens[head : references.start]),
        why_not=_volatile(chosen),
    )


def _head(tokens: Sequence[Token]) -> tuple[int, int]:
    """The place of the verb, and of what follows it and its modifiers."""
    found = verb(tokens)
    level = depths(tokens)
    head = next(at for at, token in enumerate(tokens) if token.name == found and level[at] == 0)
    body = head + 1
    while body < len(tokens) and tokens[body].kind is Kind.WORD and tokens[body].name in MODIFIERS:
        body += 1
    return head, body


def _places(tokens: Sequence[Token], body: int, words: frozenset[str]) -> dict[str, int]:
    """The first place of each word outside every parenthesis, from `body` on."""
    found: dict[str, int] = {}
    level = depths(tokens)
    for at in range(body, len(tokens)):
        token = tokens[at]
        if level[at] == 0 and token.kind is Kind.WORD and token.name in words:
            found.setdefault(token.name, at)
    return found


def _target(table: exp.Table) -> Target:
    schema, _, name = table_name(table).rpartition(".")
    return Target(alias=table.alias_or_name, schema=schema, table=name)


def _volatile(tokens: Sequence[Token]) -> tuple[str, ...]:
    names = {
        token.name
        for at, token in enumerate(tokens[:-1])
        if token.kind is Kind.WORD and tokens[at + 1].text == "("
    }
    found = sorted(names & _VOLATILE)
    return (f"{found[0].lower()}() may choose other rows each time",) if found else ()


def _ordered(tree: exp.Expr) -> tuple[str, ...]:
    order = tree.args.get("order")
    if order is None:
        return ()
    return tuple(
        part.this.name.lower()
        for part in order.expressions
        if isinstance(part, exp.Ordered) and isinstance(part.this, exp.Column)
    )


def _values(tokens: Sequence[Token], tree: exp.Insert) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The columns and rows of `INSERT … (a, b) VALUES (…), (…)`; no rows for every other form.

    No columns where the statement lists none.
    """
    if not isinstance(tree.expression, exp.Values):
        return (), ()
    names = (
        tuple(part.name.lower() for part in tree.this.expressions)
        if isinstance(tree.this, exp.Schema)
        else ()
    )
    start = _places(tokens, 0, frozenset({"VALUES", "VALUE"}))
    at = min(start.values(), default=len(tokens)) + 1
    rows = _rows(tokens[at:])
    return names, rows


def _rows(tokens: Sequence[Token]) -> tuple[tuple[str, ...], ...]:
    rows: list[tuple[str, ...]] = []
    cell: list[Token] = []
    row: list[str] = []
    for token, level in zip(tokens, depths(tokens), strict=True):
        if level == 0 and token.kind is Kind.WORD:
            break  # RETURNING, or an alias of the new row
        if level == 1 and token.text == ",":
            row.append(join(cell))
            cell = []
        elif level == 0 and token.text == ")":
            rows.append((*row, join(cell)))
            cell, row = [], []
        elif level >= 1:
            cell.append(token)
    return tuple(rows)
