"""Every source's facts, weighed into one set. A weaker source never lowers what a stronger one knows."""

from __future__ import annotations

from collections.abc import Mapping

from clearance.core.classify.records import AT_LEAST
from clearance.core.enrich.sources import DECLARED, DERIVED, declared, derived, is_number, said_by_caller
from clearance.core.model import ActionCall, Fact, Request, ToolSpec
from clearance.core.model.names import canonical

_MAX_NAME = 256  # characters; no tool of a longer name is declared


def derive_facts(request: Request, *, call: ActionCall, tools: Mapping[str, ToolSpec]) -> dict[str, Fact]:
    """What is known before anything is counted on a real system. A value of None means: cannot be known.

    Of numbers the greatest claim counts, whoever makes it. Otherwise a declaration outranks what is derived
    from the call, and that outranks the calling program.
    """
    facts = said_by_caller(call)
    for name, fact in derived(request).items():
        facts[name] = _weighed(fact, facts[name]) if name in facts else fact
    spec = tools.get(canonical(call.action)) if tools and len(call.action) <= _MAX_NAME else None
    if spec is not None:
        for name, fact in declared(spec, request.action.arguments).items():
            facts[name] = _weighed(fact, facts[name]) if name in facts else fact
    for name, fact in request.facts.items():
        if fact.source == AT_LEAST and name in facts:
            facts[name] = _raised(facts[name], fact)
    return facts


def merge_facts(known: Mapping[str, Fact], counted: Mapping[str, Fact]) -> dict[str, Fact]:
    """All facts; what was counted on the real system replaces any claim about it."""
    return {**known, **counted}


def _raised(known: Fact, least: Fact) -> Fact:
    """A claim below what the call shows at the least is raised to it; nothing unknown becomes known."""
    if is_number(known.value) and is_number(least.value) and least.value > known.value:  # type: ignore[operator]
        return Fact(value=least.value, source=DERIVED)
    return known


def _weighed(strong: Fact, weak: Fact) -> Fact:
    """The stronger source's fact, unless the weaker one claims a greater number.

    A declaration that finds nothing gives way to a count of the call; nothing unknown gives way to a caller.
    """
    if is_number(strong.value) and is_number(weak.value):
        return weak if weak.value > strong.value else strong  # type: ignore[operator]
    if strong.value is None and strong.source == DECLARED and weak.source == DERIVED:
        return weak
    return strong
