"""A blast radius in words: one line for each resource that is touched, one for what returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clearance.core.model import Exactness, Radius, Touch

_MOST = 8  # touches named one by one; a person reads no more at 3 a.m.
_ABOUT = {Exactness.EXACT: "", Exactness.BOUND: "at most ", Exactness.ESTIMATE: "about "}


def radius_lines(radii: Sequence[Radius]) -> Iterator[str]:
    """Not neutralised and not cut: that is for who prints it."""
    for radius in radii:
        yield from (f"{radius.system}: {_touched(touch)}" for touch in radius.touches[:_MOST])
        if len(radius.touches) > _MOST:
            yield f"{radius.system}: and {len(radius.touches) - _MOST} more"
        yield from (f"{radius.system}: not known: {why}" for why in radius.unknown)
        yield f"{radius.system}: undo {radius.reversibility.value}"
        yield from (f"{radius.system}: not undone: {sentence}" for sentence in radius.irreversible)


def _touched(touch: Touch) -> str:
    if touch.count is None:
        return f"{touch.operation.value} {touch.resource}, number not known"
    return f"{touch.operation.value} {touch.resource} {_ABOUT.get(touch.exactness, '')}{touch.count:,}"
