"""The rows that an INSERT added, found by their keys where the statement or the server tells them."""

# ruff: noqa: S608 - names are quoted and values are literals of `connect.literal`; nothing else is put in

from __future__ import annotations

import re

from clearance.adapters.systems.mysql import images
from clearance.adapters.systems.mysql.change import Change
from clearance.adapters.systems.mysql.connect import Link, quoted
from clearance.adapters.systems.mysql.images import AFTER, Image

_PLAIN = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|-?\d+(?:\.\d+)?|0[xX][0-9A-Fa-f]+|_binary'(?:[^'\\]|\\.|'')*'", re.S
)
_COUNTING = frozenset({"NULL", "DEFAULT", "0", "'0'"})  # the server draws the next number
_MOST_KEYS = 10_000  # in one list of keys


def capture_inserted(link: Link, change: Change, image: Image, number: int, *, added: int, first: int) -> int:
    """Copy the new rows; how many were found, which is fewer than `added` where keys cannot be told."""
    keys = _drawn(link, change, image, added, first) or _given(change, image)
    if len(keys) != added or not 0 < added <= _MOST_KEYS:
        return 0 if added else added
    names = images.key_of(image, "t")
    return link.copy(
        f"{images.insert(image)} SELECT {number}, {AFTER}, {images.selected(image, 't')}"
        f" FROM {quoted(*image.table.name)} AS t WHERE {names} IN ({', '.join(keys)}) FOR UPDATE"
    )


def _columns(change: Change, image: Image) -> tuple[str, ...]:
    return change.keys or tuple(column.name.lower() for column in image.table.columns)


def _drawn(link: Link, change: Change, image: Image, added: int, first: int) -> list[str]:
    """The numbers of an AUTO_INCREMENT key: a VALUES list draws them at once, one after the other."""
    table, columns = image.table, _columns(change, image)
    if table.key != (table.counts,) or len(change.values) != added or first <= 0:
        return []
    counted = table.counts.lower()
    if counted in columns:
        at = columns.index(counted)
        cells = {row[at].upper() if at < len(row) else "" for row in change.values}
        if not cells <= _COUNTING:
            return []
    step = link.number("SELECT @@SESSION.auto_increment_increment")
    return [f"({first + step * at})" for at in range(added)]


def _given(change: Change, image: Image) -> list[str]:
    """The keys that stand in the statement itself as plain values."""
    columns = _columns(change, image)
    places = [columns.index(name.lower()) for name in image.table.key if name.lower() in columns]
    if len(places) != len(image.table.key):
        return []
    found = []
    for row in change.values:
        cells = [row[at] if at < len(row) and len(row) == len(columns) else "" for at in places]
        if not all(_PLAIN.fullmatch(cell) for cell in cells):
            return []
        if image.table.counts and any(cell in _COUNTING for cell in cells):
            return []
        found.append(f"({', '.join(cells)})")
    return list(dict.fromkeys(found))
