"""Tables by the names that a configuration gives them, and their rows by record id. Looks up only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from clearance.adapters.systems.postgres.connection import Connection, sql

_TABLE: Final = sql("table")


class Named(Struct, frozen=True, kw_only=True):
    """A table, topmost of its partition tree. `key` and `type` are its primary key's, if of one column."""

    relid: int
    name: str
    kind: str
    key: str
    type: str

    @property
    def source(self) -> str:
        """To read from, in a text with the driver's placeholders."""
        return quoted(self.name) if self.kind == "p" else f"ONLY {quoted(self.name)}"

    def chosen(self, ids: Sequence[str] | None, *, alias: str) -> str:
        """The condition that picks the rows; `%(ids)s` are given as text, whatever the key's type is."""
        return "true" if ids is None else f"{alias}.{quoted(self.key)} = ANY (%(ids)s::text[]::{self.type}[])"


def quoted(name: str) -> str:
    """A name may hold a per cent sign, which is no placeholder."""
    return name.replace("%", "%%")


def load_table(connection: Connection, name: str) -> Named | None:
    """None for what is not a table of this database."""
    # Not by a search path, which may differ from role to role.
    full = name if "." in name else f"public.{name}"
    row = connection.execute(_TABLE, {"name": full}).fetchone()
    if row is None:
        return None
    relid, full, kind, key, of_type, columns = row
    single = columns == 1
    return Named(relid=relid, name=full, kind=kind, key=key if single else "", type=of_type if single else "")


def record_ids(arguments: dict[str, Any]) -> tuple[str, ...] | None:
    """As text, in the order given; None where the arguments name no records."""
    found = arguments.get("record_ids")
    if found is None and isinstance(arguments.get("payload"), dict):
        found = arguments["payload"].get("record_ids")
    if not isinstance(found, list | tuple):
        return None
    return tuple(dict.fromkeys(str(each) for each in found))
