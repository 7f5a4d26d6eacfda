"""Radii that no engine counted (not run, or only reading), and whether one exceeds another. Pure."""

from __future__ import annotations

from collections import defaultdict

from msgspec.structs import replace

from clearance.adapters.systems.postgres.radius import Judged
from clearance.core.model import (
    Classification,
    EffectClass,
    Exactness,
    Operation,
    Radius,
    Reversibility,
    Touch,
)


def of_text(system: str, fingerprint: str, *, read: Classification, why: tuple[str, ...]) -> Judged:
    """What a statement that was not run would touch: each object it names, how often nobody knows."""
    changed = [named for named in read.objects if named.operation is not Operation.READ]
    touches = tuple(_unknown(named.name, named.operation) for named in changed)
    radius = Radius(
        system=system,
        fingerprint=fingerprint,
        effects=read.effects,
        touches=touches or (_unknown("the statement", read.operation),),
        how="not run",
        reversibility=Reversibility.NONE,
        irreversible=("It was not tried, so nothing is known of what an undo would return.",),
        unknown=tuple(dict.fromkeys([*read.unknown, *why])),
    )
    return Judged(radius=radius, complete=False)


def _unknown(resource: str, operation: Operation) -> Touch:
    return Touch(resource=resource, operation=operation, count=None, exactness=Exactness.UNKNOWN)


def of_rows(radius: Radius, read: Classification, *, rows: int) -> Judged:
    """A statement that ran where nothing can be written. Rows of a join belong to no single table."""
    names = list(dict.fromkeys(named.name for named in read.objects))
    touch = Touch(
        resource=names[0] if len(names) == 1 else "rows returned",
        operation=Operation.READ,
        count=max(rows, 0),
    )
    counted = replace(
        radius,
        touches=(touch,),
        how="rows returned",
        reversibility=Reversibility.EXACT,
        irreversible=(),
        unknown=read.unknown,
    )
    return Judged(radius=counted, complete=True)


def exceeds(ran: Radius, at_most: Radius) -> tuple[str, ...]:
    """What ran beyond what was approved. Where the approved number was not known, none is too many."""
    if ran.fingerprint != at_most.fingerprint:
        return ("it was approved for another server",)
    open_ended = EffectClass.UNKNOWN in at_most.effects or any(
        touch.count is None for touch in at_most.touches
    )
    allowed, found = _sums(at_most), _sums(ran)
    return tuple(
        f"{resource}: {number} rows to {operation}, {limit} approved"
        for (resource, operation), number in found.items()
        if (limit := allowed.get((resource, operation), None if open_ended else 0)) is not None
        and number > limit
    )


def _sums(radius: Radius) -> dict[tuple[str, Operation], int]:
    sums: dict[tuple[str, Operation], int] = defaultdict(int)
    for touch in radius.touches:
        if touch.operation is not Operation.READ and touch.count is not None:
            sums[touch.resource, touch.operation] += touch.count
    return dict(sums)
