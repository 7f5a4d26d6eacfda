"""Which tables a change reaches through foreign keys, told from the catalogue alone. Pure.

InnoDB carries these actions out beneath the SQL layer: no counter, trigger or row event shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from clearance.adapters.systems.mysql.catalogue import ForeignKey, Name

_ACTS = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


class Event(Struct, frozen=True, kw_only=True):
    """What may happen to rows of one table: they go, or these columns change."""

    deletes: bool = False
    columns: frozenset[str] = frozenset()


class Reach(Struct, frozen=True, kw_only=True):
    """`events` by table, the changed ones among them; `edges` the foreign keys that act."""

    events: dict[Name, Event]
    edges: tuple[ForeignKey, ...]


def reach(start: Mapping[Name, Event], keys: Sequence[ForeignKey]) -> Reach:
    """Everything that may follow from `start`, through every level and cycle."""
    events, edges, grew = dict(start), dict[tuple[Name, str], ForeignKey](), True
    while grew:
        grew = False
        for key in keys:
            made = _follows(events.get(key.parent), key)
            if made is None:
                continue
            edges[key.child, key.name] = key
            before = events.get(key.child, Event())
            after = Event(deletes=before.deletes or made.deletes, columns=before.columns | made.columns)
            grew = grew or after != before
            events[key.child] = after
    return Reach(events=events, edges=tuple(edges.values()))


def _follows(event: Event | None, key: ForeignKey) -> Event | None:
    """What an event on the parent makes of the child's rows; None where the key does not act."""
    if event is None:
        return None
    columns = frozenset(column.lower() for column in key.columns)
    deletes = event.deletes and key.on_delete == "CASCADE"
    emptied = event.deletes and key.on_delete in _ACTS - {"CASCADE"}
    referred = event.columns & {column.lower() for column in key.parent_columns}
    moved = bool(referred) and key.on_update in _ACTS
    if not (deletes or emptied or moved):
        return None
    return Event(deletes=deletes, columns=columns if emptied or moved else frozenset())
