"""JSON looked through as it is written, in one search: most holds nothing. What is found, others look for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import re2

from clearance.core.model.patterns import NAMED, SECRET_NAMES
from clearance.core.redact.opening import MAX_DEPTH
from clearance.core.redact.storage import MAX_STRING

# Within JSON an escape (`\n`) may stand before a word, and a quote in a text is one with a backslash: what
# depends on either is looked for by what comes before it.
_WITHIN_JSON = {
    "authorization": r"(?i:authorization)",
    "passw": r"(?i:passw(?:or)?d|pwd|passphrase|secret|token|api[_-]?key|access_key)=",
    "PRIVATE KEY": r"-----BEGIN [A-Z ]*PRIVATE KEY",
}
_NUL = r"\\u0000"
_LONG_NUMBER = r"[0-9]{19,}"  # may be past what readers of JSON carry
# A member whose name is a secret's, is written with other letters than ASCII's, or holds an escape.
_SECRET_KEYS = (
    "(?i:" + "|".join(sorted(SECRET_NAMES)).replace("_", '[^a-z0-9"]*') + ')[^A-Za-z0-9"]*":',
    r'[^\x00-\x7f"][^"\\]*":',
    r'\\.[^"\\]*":',
)


def is_free_of(raw: bytes, names: tuple[str, ...]) -> bool:
    """True only where no text, key or number of this JSON holds what the named patterns find."""
    return _search(names).Match(raw) is None


def is_storable(raw: bytes) -> bool:
    """True only where all of it may be stored as it is: no secret in it, and nothing long, deep or odd."""
    return (
        len(raw) <= MAX_STRING
        and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH
        and _search(("secret",), for_storage=True).Match(raw) is None
    )


@cache
def _search(names: tuple[str, ...], *, for_storage: bool = False) -> Any:
    sources: Iterable[str] = [_within_json(source) for name in names for source in NAMED[name]]
    more = (*_SECRET_KEYS, _LONG_NUMBER) if for_storage else ()
    found = re2.Set.SearchSet()
    found.Add("|".join(f"(?:{source})" for source in (*sources, _NUL, *more)))
    found.Compile()
    return found


def _within_json(source: str) -> str:
    for sign, instead in _WITHIN_JSON.items():
        if sign in source:
            return instead
    return source.replace(r"\b", "", 1)
