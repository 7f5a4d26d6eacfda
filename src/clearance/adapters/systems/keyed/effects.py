"""What a request says of itself, where calls are no statements: its effect, and which keys it names."""

from __future__ import annotations

from typing import Any, Final

from clearance.core.model import EffectClass, Operation, Request

_EFFECTS: Final = {
    Operation.READ: EffectClass.READ,
    Operation.CREATE: EffectClass.WRITE,
    Operation.UPDATE: EffectClass.WRITE,
    Operation.DELETE: EffectClass.DELETE,
    Operation.DDL: EffectClass.DDL,
    Operation.SEND: EffectClass.OUTBOUND,
    Operation.MODEL_CALL: EffectClass.OUTBOUND,
    Operation.EXECUTE: EffectClass.EXEC,
    Operation.ADMIN: EffectClass.ADMIN,
    Operation.UNKNOWN: EffectClass.UNKNOWN,
}
_SELECTORS: Final = frozenset(
    (
        "condition",
        "conditions",
        "criteria",
        "expression",
        "filter",
        "filters",
        "glob",
        "match",
        "pattern",
        "predicate",
        "q",
        "query",
        "regex",
        "search",
        "selector",
        "selectors",
        "where",
    )
)


def effects_of(request: Request) -> frozenset[EffectClass]:
    """By the verb alone."""
    return frozenset({_EFFECTS.get(request.action.operation, EffectClass.UNKNOWN)})


def undoable(request: Request) -> bool:
    """Whether the verb is about what is kept. Nothing else that a call may do is put back."""
    return request.action.operation in (Operation.READ, Operation.CREATE, Operation.UPDATE, Operation.DELETE)


def identifiers(value: Any) -> tuple[str, ...] | None:
    """One id or a list of them as strings, each once. None for what is no id."""
    listed = value if isinstance(value, list | tuple) else [value]
    found = [str(each) for each in listed if isinstance(each, str | int) and not isinstance(each, bool)]
    return tuple(dict.fromkeys(found)) if len(found) == len(listed) else None


def selectors(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that choose by a condition: what they match cannot be known from here."""
    return {name: value for name, value in arguments.items() if name.lower() in _SELECTORS and value}
