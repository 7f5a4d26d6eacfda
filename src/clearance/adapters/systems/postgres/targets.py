"""The tables that a snapshot speaks of, as the catalogue shows them now. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from clearance.adapters.systems.postgres.connection import Connection, sql

_TARGETS: Final = sql("target")
_KEYS: Final = sql("foreign_keys")
_SEQUENCES: Final = sql("sequences")


class Target(Struct, frozen=True, kw_only=True):
    """One table and the shape of its images. Names are quoted as SQL needs them."""

    relid: int
    shape: int
    kind: str  # empty: it was dropped
    name: str
    same: bool  # it still has the columns that it had
    columns: tuple[str, ...]
    written: tuple[str, ...]  # without generated columns
    key: tuple[str, ...]
    operators: tuple[str, ...]  # equality of the key, column by column
    rules: bool
    images: int

    @property
    def source(self) -> str:
        """To read or delete from: never the rows of tables that inherit from it."""
        return self.name if self.kind == "p" else f"ONLY {self.name}"

    @property
    def row(self) -> str:
        return f"clearance_guard.row_{self.shape}"

    @property
    def image(self) -> str:
        return f"clearance_guard.image_{self.shape}"

    @property
    def plan(self) -> str:
        return f"pg_temp.clearance_plan_{self.shape}"

    def current(self, alias: str) -> str:
        """The row that stands in the table, as an image of it."""
        return f"ROW({', '.join(f'{alias}.{column}' for column in self.columns)})::{self.row}"

    def keyed(self, alias: str) -> str:
        """That the row `alias` is the one of the plan's entry `p`."""
        pairs = zip(self.key, self.operators, range(len(self.key)), strict=True)
        return " AND ".join(f"{alias}.{column} {operator} p.k{place}" for column, operator, place in pairs)


class ForeignKey(Struct, frozen=True, kw_only=True):
    """A foreign key: `operators` compare referenced columns (left) with referencing ones (right)."""

    name: str
    child: int
    parent: int
    child_name: str
    parent_name: str
    child_columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    operators: tuple[str, ...]
    temporal: bool
    enforced: bool


class Sequence_(Struct, frozen=True, kw_only=True):  # noqa: N801  the word is taken by the standard library
    """A sequence that fills a column."""

    relid: int
    column: str
    name: str
    rises: bool


def load_targets(connection: Connection, number: int) -> list[Target]:
    """Every table with images or a scope under a snapshot, by oid: the order in which they are locked."""
    rows = connection.execute(_TARGETS, {"number": number}).fetchall()
    return [
        Target(
            relid=relid,
            shape=shape,
            kind=kind,
            name=name,
            same=same,
            columns=tuple(columns),
            written=tuple(written),
            key=tuple(key),
            operators=tuple(operators),
            rules=rules,
            images=images,
        )
        for relid, shape, kind, name, same, columns, written, key, operators, rules, images in rows
    ]


def load_foreign_keys(connection: Connection, relids: Sequence[int]) -> list[ForeignKey]:
    rows = connection.execute(_KEYS, {"relids": list(relids)}).fetchall()
    return [
        ForeignKey(
            name=name,
            child=child,
            parent=parent,
            child_name=child_name,
            parent_name=parent_name,
            child_columns=tuple(child_columns),
            parent_columns=tuple(parent_columns),
            operators=tuple(operators),
            temporal=temporal,
            enforced=enforced,
        )
        for (
            name,
            child,
            parent,
            child_name,
            parent_name,
            child_columns,
            parent_columns,
            operators,
            temporal,
            enforced,
        ) in rows
    ]


def load_sequences(connection: Connection, relids: Sequence[int]) -> list[Sequence_]:
    rows = connection.execute(_SEQUENCES, {"relids": list(relids)}).fetchall()
    return [
        Sequence_(relid=relid, column=column, name=name, rises=rises) for relid, column, name, rises in rows
    ]
