"""What the server's catalogue says of the tables that a change may reach: columns, keys, triggers, engine."""

# ruff: noqa: S608 - names are quoted and values are literals of `connect.literal`; nothing else is put in

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import pymysql
from msgspec import Struct

from clearance.adapters.systems.mysql.connect import Link, code, literal

Name = tuple[str, str]  # schema, table
NOT_ALLOWED = (1227, 1109, 1142)  # no PROCESS right, no such list, no right
_WORST = ("CASCADE", "CASCADE")  # of a key that was made between the two questions


class Column(Struct, frozen=True, kw_only=True):
    """`type` is the whole type as the server writes it; `base` its first word."""

    name: str
    type: str
    base: str
    charset: str
    collation: str
    generated: bool


class Table(Struct, frozen=True, kw_only=True):
    """`key` is the primary key, empty where no row can be found by it; `counts` the AUTO_INCREMENT column."""

    name: Name
    kind: str
    engine: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    counts: str
    triggers: frozenset[str]

    @property
    def stored(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.generated)


class ForeignKey(Struct, frozen=True, kw_only=True):
    """`on_delete` and `on_update` are the server's words: CASCADE, SET NULL, RESTRICT, NO ACTION."""

    name: str
    child: Name
    columns: tuple[str, ...]
    parent: Name
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str


class Catalogue(Struct, frozen=True, kw_only=True):
    tables: dict[Name, Table]
    foreign_keys: tuple[ForeignKey, ...]


def shown(name: Name) -> str:
    return ".".join(name)


def foreign_keys(link: Link, schemas: Iterable[str]) -> tuple[ForeignKey, ...]:
    """Every foreign key within, into and out of these schemas, and of the schemas that those lie in."""
    found: dict[Any, ForeignKey] = {}
    wanted, seen = set(schemas), set[str]()
    while wanted - seen:
        asked = wanted - seen
        seen |= asked
        for one in _keys(link, asked | _schemas_of_children(link, asked)):
            found[one.child, one.name] = one
            if one.parent[0] in seen:
                wanted.add(one.child[0])
    return tuple(found.values())


def _schemas_of_children(link: Link, schemas: set[str]) -> set[str]:
    """Other schemas whose tables refer to these.

    InnoDB's own list takes 0.5 ms; the standard view, which opens every table of the server, 14 ms.
    It needs the right PROCESS, and writes odd names in code.
    """
    table = "INNODB_SYS_FOREIGN" if link.is_mariadb else "INNODB_FOREIGN"
    try:
        rows = link.rows(f"SELECT DISTINCT FOR_NAME, REF_NAME FROM information_schema.{table}")
        if not any("@" in _text(name) for row in rows for name in row):
            pairs = [tuple(_text(name).partition("/")[0] for name in row) for row in rows]
            return {child for child, parent in pairs if parent in schemas}
    except pymysql.err.MySQLError as error:
        if code(error) not in NOT_ALLOWED:
            raise
    listed = ", ".join(literal(schema) for schema in sorted(schemas))
    rows = link.rows(
        "SELECT DISTINCT TABLE_SCHEMA FROM information_schema.KEY_COLUMN_USAGE"
        f" WHERE REFERENCED_TABLE_SCHEMA IN ({listed})"
    )
    return {str(row[0]) for row in rows}


def _keys(link: Link, schemas: set[str]) -> list[ForeignKey]:
    listed = ", ".join(literal(schema) for schema in sorted(schemas))
    rows = link.rows(
        "SELECT k.CONSTRAINT_NAME, k.TABLE_SCHEMA, k.TABLE_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA,"
        " k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE k"
        f" WHERE k.TABLE_SCHEMA IN ({listed}) AND k.REFERENCED_TABLE_NAME IS NOT NULL"
        " ORDER BY 1, 2, 3, k.ORDINAL_POSITION"
    )
    if not rows:
        return []
    rules = {
        tuple(row[:3]): tuple(row[3:])
        for row in link.rows(
            "SELECT CONSTRAINT_NAME, CONSTRAINT_SCHEMA, TABLE_NAME, DELETE_RULE, UPDATE_RULE"
            f" FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA IN ({listed})"
        )
    }
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[:3])].append(row)
    return [
        ForeignKey(
            name=name,
            child=(schema, table),
            columns=tuple(row[3] for row in parts),
            parent=(parts[0][4], parts[0][5]),
            parent_columns=tuple(row[6] for row in parts),
            on_delete=rules.get((name, schema, table), _WORST)[0],
            on_update=rules.get((name, schema, table), _WORST)[1],
        )
        for (name, schema, table), parts in groups.items()
    ]


def tables(link: Link, names: Iterable[Name]) -> dict[Name, Table]:
    """The tables and views of these names; a name that is none is left out."""
    wanted = set(names)
    if not wanted:
        return {}
    where = _where(wanted, "TABLE_SCHEMA", "TABLE_NAME")
    rows = link.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, '')"
        f" FROM information_schema.TABLES WHERE {where}"
    )
    columns = _columns(link, where)
    keys = _primary(link, where)
    triggers = _triggers(link, wanted)
    found = {}
    for schema, table, kind, engine in rows:
        name = (schema, table)
        if name in wanted:
            made, counts = columns.get(name, ([], ""))
            found[name] = Table(
                name=name,
                kind=kind,
                engine=engine,
                columns=tuple(made),
                key=tuple(keys.get(name, ())),
                counts=counts,
                triggers=frozenset(triggers.get(name, ())),
            )
    return found


def _where(names: set[Name], schema: str, table: str) -> str:
    pairs = ", ".join(f"({literal(one)}, {literal(two)})" for one, two in sorted(names))
    return f"({schema}, {table}) IN ({pairs})"


def _columns(link: Link, where: str) -> dict[Name, tuple[list[Column], str]]:
    rows = link.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, DATA_TYPE,"
        " COALESCE(CHARACTER_SET_NAME, ''),"
        " COALESCE(COLLATION_NAME, ''), EXTRA, COALESCE(GENERATION_EXPRESSION, '')"
        f" FROM information_schema.COLUMNS WHERE {where} ORDER BY ORDINAL_POSITION"
    )
    found: dict[Name, tuple[list[Column], str]] = {}
    for schema, table, name, kind, base, charset, collation, extra, expression in rows:
        columns, counts = found.get((schema, table), ([], ""))
        generated = bool(expression) and "DEFAULT_GENERATED" not in extra.upper()
        column = Column(
            name=name, type=_text(kind), base=base, charset=charset, collation=collation, generated=generated
        )
        counts = name if "auto_increment" in extra.lower() else counts
        found[schema, table] = ([*columns, column], counts)
    return found


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _primary(link: Link, where: str) -> dict[Name, list[str]]:
    """Primary keys; one over a prefix of a column finds no single row and counts as none."""
    rows = link.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS"
        f" WHERE {where} AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX"
    )
    found: dict[Name, list[str]] = defaultdict(list)
    partial = {(row[0], row[1]) for row in rows if row[3] is not None}
    for schema, table, column, _ in rows:
        found[schema, table].append(column)
    return {name: key for name, key in found.items() if name not in partial}


def _triggers(link: Link, names: set[Name]) -> dict[Name, set[str]]:
    where = _where(names, "EVENT_OBJECT_SCHEMA", "EVENT_OBJECT_TABLE")
    rows = link.rows(
        "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, EVENT_MANIPULATION"
        f" FROM information_schema.TRIGGERS WHERE {where}"
    )
    found: dict[Name, set[str]] = defaultdict(set)
    for schema, table, event in rows:
        found[schema, table].add(event.upper())
    return found


def unique_keys(link: Link, name: Name) -> list[tuple[str, ...]]:
    """Every unique index but the primary key."""
    rows = link.rows(
        "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS"
        f" WHERE {_where({name}, 'TABLE_SCHEMA', 'TABLE_NAME')} AND NON_UNIQUE = 0"
        " AND INDEX_NAME <> 'PRIMARY'"
        " ORDER BY INDEX_NAME, SEQ_IN_INDEX"
    )
    found: dict[str, list[str]] = defaultdict(list)
    for index, column in rows:
        found[index].append(column)
    return [tuple(columns) for columns in found.values()]


def base_tables(link: Link, schema: str) -> list[Name]:
    rows = link.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES"
        f" WHERE TABLE_SCHEMA = {literal(schema)} AND TABLE_TYPE = 'BASE TABLE' ORDER BY 2"
    )
    return [(one, two) for one, two in rows]


def views(link: Link, schema: str) -> Sequence[tuple[str, str]]:
    """The views of a schema and their texts."""
    rows = link.rows(
        f"SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS"
        f" WHERE TABLE_SCHEMA = {literal(schema)}"
    )
    return [(str(name), _text(text)) for name, text in rows]


def view_texts(link: Link, schema: str, names: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Those of these names that are views, and their texts: each is looked up alone, which opens no other."""
    rows = link.rows(
        " UNION ALL ".join(
            "SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS"
            f" WHERE TABLE_SCHEMA = {literal(schema)} AND TABLE_NAME = {literal(name)}"
            for name in names
        )
    )
    return [(str(name), _text(text)) for name, text in rows]
