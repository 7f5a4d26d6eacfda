"""Puts conditions into words: as written, for explanations, and as a phrase, for messages to agents."""

from __future__ import annotations

import json
from typing import Any

from clearance.core.policy.located import Located, plain
from clearance.core.policy.vocabulary import Key

_LIMIT = 120
_VERBS = {
    "": "is",
    "in": "is one of",
    "not_in": "is not one of",
    "exceeds": "exceeds",
    "at_least": "is at least",
    "pattern": "matches",
    "matches": "matches",
    "equals": "is",
}


def clipped(text: str, limit: int = _LIMIT) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def rendered(value: Any) -> str:
    """A value of a policy as one short line."""
    if isinstance(value, str):
        return clipped(value)
    return clipped(json.dumps(value, ensure_ascii=False))


def listed(value: Any) -> str:
    """A value as it stands in a sentence."""
    if isinstance(value, list):
        return clipped(", ".join(rendered(one) for one in value))
    return rendered(value)


def phrase(subject: str, suffix: str, value: Any) -> str:
    """
    >>> phrase("record_count", "exceeds", 25)
    'record_count exceeds 25'
    """
    verb = "is one of" if not suffix and isinstance(value, list) else _VERBS[suffix]
    return f"{subject} {verb} {listed(value)}"


def described(key: Key, at: Located) -> dict[str, Any]:
    """The fields of a Condition that say what was written, and where."""
    value = plain(at)
    return {
        "text": f"{key.written}: {rendered(value)}",
        "phrase": phrase(key.base, key.suffix, value),
        "line": at.key_line,
    }
