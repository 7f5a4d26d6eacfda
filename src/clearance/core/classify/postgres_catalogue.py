"""What a PostgreSQL catalogue says about a name, as values. No connection: an adapter asks the server."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from clearance.core.model.action import Operation


class Event(StrEnum):
    """When code attached to a relation runs. DEFINE: a change of its shape looks at every row again."""

    READ = "read"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"
    DEFINE = "define"


class Function(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One function, procedure or aggregate part.

    `is_builtin`: came with the server. `extension` is the one that it belongs to, if any. `definition` is
    CREATE FUNCTION as the server prints it; empty where the source cannot be read. `settings` are the names
    of settings that it changes while it runs.
    """

    schema: str
    name: str
    language: str
    is_builtin: bool = False
    extension: str = ""
    volatility: str = "volatile"  # immutable, stable or volatile
    definition: str = ""
    settings: tuple[str, ...] = ()

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


class RelationKind(StrEnum):
    """What a name in FROM is. VIEW and MATERIALIZED have a definition, FOREIGN lies on another server."""

    TABLE = "table"
    VIEW = "view"
    MATERIALIZED = "materialized"
    FOREIGN = "foreign"
    SEQUENCE = "sequence"
    OTHER = "other"


class Fires(Struct, frozen=True, kw_only=True):
    """A function that the server runs by itself: of a trigger, a default, a check, a policy, an index."""

    event: Event
    function: Function


class Reaches(Struct, frozen=True, kw_only=True):
    """A foreign key's action: on `event`, rows of `schema.name` are changed by `operation`.

    With READ, a row security policy looks at them. `columns` are the referenced ones: an UPDATE that leaves
    them alone reaches nothing.
    """

    event: Event
    schema: str
    name: str
    operation: Operation
    columns: frozenset[str] = frozenset()


class Relation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One table, view or sequence, and what touching it sets off. Facts of this one only, nothing followed.

    `definition` is a view's SELECT, `rules` the text of CREATE RULE of every rule but a view's own,
    `children` its partitions and heirs.
    """

    schema: str
    name: str
    kind: RelationKind = RelationKind.TABLE
    is_builtin: bool = False
    definition: str = ""
    rules: tuple[str, ...] = ()
    fires: tuple[Fires, ...] = ()
    reaches: tuple[Reaches, ...] = ()
    children: tuple[tuple[str, str], ...] = ()


class Catalogue(Protocol):
    """Names resolved as the statement's own session would. `schema` None: by its search_path."""

    def functions(self, schema: str | None, name: str) -> tuple[Function, ...]:
        """Every overload that a call could reach; empty where there is none."""

    def relation(self, schema: str | None, name: str) -> Relation | None: ...

    def operators(self, name: str) -> tuple[Function, ...]:
        """The functions behind operators of this name that did not come with the server."""

    def type_functions(self, schema: str | None, name: str) -> tuple[Function, ...] | None:
        """What making a value of a type runs (a domain's checks); None where there is no such type."""

    def attributes(self, name: str) -> tuple[Function, ...]:
        """User-made functions that `row.name` would call: one argument, of a row type."""

    def casts(self) -> tuple[Function, ...]:
        """User-made functions of casts that apply without being written."""

    def event_triggers(self) -> tuple[Function, ...]:
        """What any change of a shape runs."""
