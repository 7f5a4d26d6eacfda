"""What one call's text tells about how many records it changes. Values only; counts nothing."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

# Sources of a fact: the call itself tells the number; or only that there are no fewer.
TOLD, AT_LEAST = "arguments", "at_least"


class Records(Struct, frozen=True, kw_only=True):
    """`count` None: a condition chooses them. AT_LEAST raises a claim, and makes nothing known."""

    count: int | None
    basis: str = TOLD


def at_least(records: Records | None) -> Records | None:
    """The same from a text that need not be all that the call does."""
    if records is None or records.count is None:
        return None
    return Records(count=records.count, basis=AT_LEAST)


def together(parts: Iterable[Records | None]) -> Records | None:
    """Of several readings of one call the greatest; none is known where one of them is not."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    told = [part.count for part in known]
    if None in told:
        return Records(count=None)
    basis = AT_LEAST if any(part.basis == AT_LEAST for part in known) else TOLD
    return Records(count=max(count for count in told if count is not None), basis=basis)
