"""SPIFFE ids, to the letter of the standard, and the agents that they name."""

from __future__ import annotations

import re
from typing import Any, Final

from clearance.adapters.identity import claims as read
from clearance.config import SpiffeProvider

_MOST_ID: Final = 2_048  # SPIFFE-ID, section 2.3
# Section 2: no port, user, query or fragment; segments that are neither empty nor relative.
_ID: Final = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/(?!\.{1,2}(?:/|\Z))[a-zA-Z0-9._-]+)+)")
_SEGMENT: Final = "[a-zA-Z0-9._-]+"


def agent_of(spiffe_id: Any, provider: SpiffeProvider) -> str:
    """The agent that a SPIFFE id names. Raises AuthenticationError."""
    found = _ID.fullmatch(spiffe_id) if isinstance(spiffe_id, str) and len(spiffe_id) <= _MOST_ID else None
    if found is None:
        raise read.unfit("has no SPIFFE id where one is needed")
    domain, path = found.groups()
    if domain != provider.trust_domain:
        raise read.unfit("has a SPIFFE id of another trust domain")
    if not provider.agent:
        return read.agent_name(path[1:], "its SPIFFE id")
    fitting = re.fullmatch(_pattern(provider.agent), path)
    if fitting is None:
        raise read.unfit("has a SPIFFE id that is no agent's")
    return read.agent_name(fitting["agent"], "its SPIFFE id")


def _pattern(template: str) -> str:
    """`/ns/*/sa/{agent}`: `*` and `{agent}` are one segment each, all else is itself."""
    escaped = re.escape(template).replace(re.escape("{agent}"), f"(?P<agent>{_SEGMENT})")
    return escaped.replace(re.escape("*"), _SEGMENT)
