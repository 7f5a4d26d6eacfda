"""Where a dotted argument path leads (`customer.email`, `items.0.note`). Reads only; never raises."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType

MISSING: Final = UNSET


def at_path(value: Any, path: str) -> Any | UnsetType:
    """The value at `path`, or MISSING. A key that holds the whole path, dots included, wins."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list | tuple) and step.isdecimal() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            return MISSING
    return value
