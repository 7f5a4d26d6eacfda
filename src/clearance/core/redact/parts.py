"""The parts of a request as they may be stored or shown: names, facts and counts without a secret in them."""

from __future__ import annotations

from msgspec.structs import replace

from clearance.core.model import Fact, Radius, Resource
from clearance.core.redact.storage import stored
from clearance.core.redact.text import clean_name, clean_text

MOST_RESOURCES = 64  # a record names this many; `resource_count` among the facts tells the true number


def stored_resources(resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Names may hold what a caller wrote; ten thousand recipients are told by their number, not by name."""
    kept = resources[:MOST_RESOURCES]
    return tuple(
        Resource(
            kind=resource.kind,
            name=clean_name(resource.name),
            environment=resource.environment,
            attributes=stored(resource.attributes) if resource.attributes else {},
        )
        for resource in kept
    )


def stored_facts(facts: dict[str, Fact]) -> dict[str, Fact]:
    """Numbers as they are; a text, whoever vouches for it, may hold a secret."""
    return {
        clean_name(name): replace(fact, value=clean_text(fact.value)) if isinstance(fact.value, str) else fact
        for name, fact in facts.items()
    }


def stored_radius(radius: Radius, *, most: int = MOST_RESOURCES) -> Radius:
    """Keys of records may hold what no trace should: an address, a number of a card."""
    touches = tuple(
        replace(touch, sample=tuple(clean_text(key) for key in touch.sample))
        for touch in radius.touches[:most]
    )
    return replace(radius, touches=touches)
