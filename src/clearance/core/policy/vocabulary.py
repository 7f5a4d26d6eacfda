"""The words of the language: attributes, suffixes, facts, aliases. Tells a typo from a fact of one's own."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from clearance.core.model import Operation
from clearance.core.policy.reading import closest

# Longest first: `_not_in` ends in `_in`.
SUFFIXES: Final = ("not_in", "at_least", "exceeds", "pattern", "matches", "in")
_TEXT: Final = ("", "in", "not_in", "pattern", "matches")
_CLOSED: Final = ("", "in", "not_in")

ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "agent": _TEXT,
    "role": _TEXT,
    "tool": _TEXT,
    "resource": _TEXT,
    "resource_kind": _TEXT,
    "domain": _TEXT,
    "goal": _TEXT,
    "door": _TEXT,
    "team": _TEXT,
    "on_behalf_of": _TEXT,
    "proof": _CLOSED,
    "operation": _CLOSED,
    "action": _CLOSED,
    "environment": _CLOSED,
}
GROUPS: Final = ("any", "all", "none")
STATEFUL: Final = ("after", "count_within", "sum_within", "distinct_within")
STRUCTURAL: Final = (*GROUPS, "argument", *STATEFUL)

# The facts that the product derives itself; anything else is a fact of the operator's own.
BUILT_IN_FACTS: Final = frozenset(
    {
        "record_count",
        "recipient_count",
        "payload_bytes",
        "amount",
        "domain_count",
        "resource_count",
        "argument_bytes",
        "file_count",
        "reversibility",
        "system_count",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cost_usd",
        "message_count",
        "tool_count",
    }
)
_FACT_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,79}\Z")


class Alias(Struct, frozen=True):
    """An everyday word for an action: an operation (None: any) on one of these kinds (empty: any)."""

    operation: Operation | None
    kinds: frozenset[str] = frozenset()


ALIASES: Final[dict[str, Alias]] = {
    "send_email": Alias(Operation.SEND, frozenset({"email"})),
    "send_message": Alias(Operation.SEND),
    "run_sql": Alias(None, frozenset({"sql", "postgres", "mysql", "sqlite"})),
    "run_command": Alias(Operation.EXECUTE),
}


class Key(Struct, frozen=True):
    """One key of a condition, taken apart: `record_count_exceeds` is `record_count` and `exceeds`."""

    written: str
    base: str
    suffix: str = ""


class Vocabulary(Struct, frozen=True, kw_only=True):
    """What the documents and the caller declare. `tools` is canonical; empty means: nothing is known."""

    facts: frozenset[str] = BUILT_IN_FACTS
    tools: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def key(self, written: str) -> Key | None:
        """The key taken apart, or None when it is no key of a condition."""
        if written in ATTRIBUTES or written in self.facts:
            return Key(written, written)
        base, suffix = _apart(written)
        if base in ATTRIBUTES:
            return Key(written, base, suffix) if suffix in ATTRIBUTES[base] else None
        if base in self.facts:
            return Key(written, base, suffix)
        looks_meant = self.suggestion(written) or not is_fact_name(base)
        return None if looks_meant else Key(written, base, suffix)

    def suggestion(self, written: str) -> str:
        """The key this one was probably meant to be, or ""."""
        base, suffix = _apart(written)
        if base in ATTRIBUTES:
            allowed = [f"{base}_{one}" if one else base for one in ATTRIBUTES[base]]
            return closest(written, allowed) or base
        tail = "" if suffix else _misspelt_suffix(written)
        if tail:
            base, suffix = written.removesuffix(f"_{tail}"), _closest_suffix(tail)
        bases = {*ATTRIBUTES, *STRUCTURAL, *self.facts}
        meant = base if base in bases else closest(base, bases)
        if not tail and not meant:
            return ""
        return f"{meant or base}_{suffix}" if suffix else meant


def is_fact_name(name: str) -> bool:
    """Lower case letters, digits and _, and no word of the language."""
    return bool(_FACT_NAME.match(name)) and name not in ATTRIBUTES and name not in STRUCTURAL


def _apart(written: str) -> tuple[str, str]:
    for suffix in SUFFIXES:
        if written.endswith(f"_{suffix}"):
            return written.removesuffix(f"_{suffix}"), suffix
    return written, ""


def _misspelt_suffix(written: str) -> str:
    """The last one or two words, when they are nearly a suffix."""
    words = written.split("_")
    tails = ("_".join(words[-count:]) for count in (1, 2) if len(words) > count)
    return next((tail for tail in tails if _closest_suffix(tail)), "")


def _closest_suffix(tail: str) -> str:
    return next(iter(get_close_matches(tail[:20], SUFFIXES[:-1], n=1, cutoff=0.8)), "")
