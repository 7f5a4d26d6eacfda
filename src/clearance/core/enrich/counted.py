"""What was counted on the real systems, made into facts. It replaces every claim about the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from clearance.core.enrich.derive import merge_facts
from clearance.core.model import Fact, FactValue, Operation, Radius, Request, Resource, Reversibility

COUNTED = "counted"
_BEST_FIRST = (
    Reversibility.EXACT,
    Reversibility.CONTENT,
    Reversibility.COMPENSATION,
    Reversibility.NONE,
)


def uncounted(request: Request) -> Request:
    """The request with nothing claimed of what only a count can tell: it may be anything."""
    facts = {name: fact for name, fact in request.facts.items() if name not in _READ_OF}
    return replace(request, facts=facts)


def with_counts(
    request: Request,
    radii: Sequence[Radius],
    *,
    at: datetime,
    operation: Operation | None = None,
    resources: Sequence[Resource] = (),
) -> Request:
    """The request as the real systems understood it. Empty `resources` leave those of the call."""
    counted = {name: Fact(value=read(radii), source=COUNTED, at=at) for name, read in _READ_OF.items()}
    action = replace(request.action, operation=operation or request.action.operation)
    return replace(
        request,
        action=action,
        resources=tuple(resources) or request.resources,
        facts=merge_facts(request.facts, counted),
    )


def _record_count(radii: Sequence[Radius]) -> FactValue:
    counts = [radius.count for radius in radii]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _reversibility(radii: Sequence[Radius]) -> FactValue:
    """Of several systems the worst: one part that does not return is one too many."""
    return max((radius.reversibility for radius in radii), key=_BEST_FIRST.index).value if radii else None


def _system_count(radii: Sequence[Radius]) -> FactValue:
    return len({radius.fingerprint for radius in radii})


_READ_OF = {"record_count": _record_count, "reversibility": _reversibility, "system_count": _system_count}
