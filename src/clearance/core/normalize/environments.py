"""Where a resource lives, as far as its name tells. What an agent chose may only make it stricter."""

from __future__ import annotations

import re
from functools import lru_cache

from clearance.core.model import Environment, Resource

_MAX_CACHED = 256  # characters
_SEGMENT = re.compile(r"[./:\\]")
_NAMES: dict[str, Environment] = {
    **dict.fromkeys(("prod", "production", "live"), Environment.PRODUCTION),
    **dict.fromkeys(("preprod", "stage", "staging"), Environment.STAGING),
    **dict.fromkeys(("dev", "development", "local", "sandbox", "test"), Environment.SANDBOX),
}


def placed(resource: Resource, environment: Environment | None, *, trusted: bool) -> Resource:
    """The resource in its declared environment, else in the one its name tells.

    A name that an agent chose is believed when it says production, never when it says anything milder.
    """
    if environment is None:
        name = resource.attributes.get("host", resource.name)
        environment = _named(name) if len(name) <= _MAX_CACHED else _first_segment(name)
        if not trusted and environment is not Environment.PRODUCTION:
            return resource
    if environment is resource.environment:
        return resource
    return Resource(
        kind=resource.kind, name=resource.name, environment=environment, attributes=resource.attributes
    )


def _first_segment(name: str) -> Environment:
    """From the first segment of a name or of a URL's host: `production.users`, `https://staging.a.example`."""
    first = next((segment for segment in _SEGMENT.split(name, maxsplit=2) if segment), "")
    return _NAMES.get(first.lower(), Environment.UNKNOWN)


_named = lru_cache(maxsize=8_192)(_first_segment)
