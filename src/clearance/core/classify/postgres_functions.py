"""What PostgreSQL's own functions, types and operators do, by name: a finite list that was reviewed.

May not guess: a name that is not on the list has no entry, whatever it looks like.
"""

from __future__ import annotations

from typing import Final

from clearance.core.classify.postgres_builtins import (
    EXTENSION_READ,
    EXTENSIONS,
    FUNCTIONS,
    OPERATORS,
    TYPES,
    VOLATILE_READ,
)
from clearance.core.model.effects import EffectClass

_FUNCTIONS: Final = {
    name: frozenset(EffectClass(word) for word in title.split())
    for title, names in [*FUNCTIONS.items(), ("read", VOLATILE_READ)]
    for name in names.split()
}
_TYPES: Final = frozenset(TYPES.split())
_OPERATORS: Final = frozenset(OPERATORS.split())
_EXTENSION_READ: Final = frozenset(EXTENSION_READ.split())
_EXTENSIONS: Final = frozenset(EXTENSIONS.split())
_OUTBOUND = (
    "dblink",
    "http_",
    "postgres_fdw_",
)  # prefixes of what dblink, http, pg_net and postgres_fdw define


def effects_of(name: str) -> frozenset[EffectClass] | None:
    """The effects of calling a function that came with the server; None for one that is not on the list."""
    return _FUNCTIONS.get(name)


def is_type(name: str) -> bool:
    """Whether a type of this name came with the server: making a value of it runs nobody's code."""
    return name in _TYPES


def is_operator(name: str) -> bool:
    return name in _OPERATORS


def extension_only_reads(extension: str, name: str, *, volatility: str) -> bool:
    """Of reviewed extensions, functions that are not volatile, and those that only make random values."""
    return extension in _EXTENSIONS and (volatility != "volatile" or name in _EXTENSION_READ)


def leaves_the_server(name: str) -> bool:
    """Functions of well-known extensions that open connections to elsewhere."""
    return name == "http" or name.startswith(_OUTBOUND)
