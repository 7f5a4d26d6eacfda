"""What a reader found in a call, and which of two operations is the more dangerous. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from msgspec import Struct

from clearance.core.model import Operation, Resource

# The name of a resource that is there but cannot be read; its `unreadable` attribute is true.
UNREADABLE = "<unreadable>"
MAX_RESOURCES = 10_000
_MAX_NAME = 4_096  # characters; Linux PATH_MAX, and longer than any URL a browser keeps

_BY_DANGER = (
    Operation.READ,
    Operation.MODEL_CALL,
    Operation.CREATE,
    Operation.UPDATE,
    Operation.RESTORE,
    Operation.SEND,
    Operation.DELETE,
    Operation.EXECUTE,
    Operation.DDL,
    Operation.ADMIN,
    Operation.UNKNOWN,
)
DANGER: dict[Operation, int] = {operation: rank for rank, operation in enumerate(_BY_DANGER)}


class Reading(Struct, frozen=True, kw_only=True):
    """`operation` is None where the arguments do not tell what would be done."""

    operation: Operation | None = None
    resources: tuple[Resource, ...] = ()


def read_as_unknown(kind: str) -> Reading:
    """Something of this kind is there, and what would be done to it cannot be told."""
    return Reading(operation=Operation.UNKNOWN, resources=(unreadable(kind),))


def strictest(first: Operation, second: Operation) -> Operation:
    """The more dangerous of two."""
    return first if DANGER[first] >= DANGER[second] else second


def unreadable(kind: str) -> Resource:
    """Stands in for a resource whose name could not be read."""
    return Resource(kind=kind, name=UNREADABLE, attributes={"unreadable": True})


def named(kind: str, name: str) -> Resource:
    """A resource by its plain name; control characters, emptiness and absurd length make it unreadable."""
    if not name or len(name) > _MAX_NAME or has_control(name):
        return unreadable(kind)
    return Resource(kind=kind, name=name)


def has_control(text: str) -> bool:
    """True for control, format, surrogate and unassigned characters, which hide what a name is."""
    return not text.isprintable()


def each(value: Any, read: Callable[[Any], Resource], *, kind: str) -> list[Resource]:
    """One resource for each item of a list, or for the one value; those beyond MAX_RESOURCES only counted."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        return [] if value is None or value == "" else [read(value)]
    found = [read(item) for item in islice(value, MAX_RESOURCES) if item is not None and item != ""]
    return [*found, more(kind, len(value) - MAX_RESOURCES)] if len(value) > MAX_RESOURCES else found


def more(kind: str, count: int) -> Resource:
    """Stands in for `count` further resources that are not listed one by one."""
    return Resource(kind=kind, name=UNREADABLE, attributes={"unreadable": True, "count": count})


def distinct(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """In order, each name once; what exceeds MAX_RESOURCES is counted in one stand-in for each kind."""
    kept: dict[tuple[str, str], Resource] = {}
    left_out: dict[str, int] = {}
    for resource in resources:
        count = resource.attributes.get("count", 0) if resource.attributes else 0
        if count:
            left_out[resource.kind] = left_out.get(resource.kind, 0) + count
        elif len(kept) < MAX_RESOURCES:
            kept.setdefault((resource.kind, resource.name), resource)
        elif (resource.kind, resource.name) not in kept:
            left_out[resource.kind] = left_out.get(resource.kind, 0) + 1
    return (*kept.values(), *(more(kind, count) for kind, count in left_out.items()))
