"""The facts of each source on its own: the calling program, the tool's declaration, the call itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from clearance.core.classify.records import TOLD
from clearance.core.model import ActionCall, Fact, FactSpec, FactValue, Request, Resource, ToolSpec
from clearance.core.model.names import secret_name
from clearance.core.model.paths import MISSING, at_path

CALLER, DECLARED, DERIVED = "caller", "declared", TOLD
_MAX_STRING = 256  # characters; a longer string is content, not a fact
_MAX_INTEGER = 2**63  # what stores and wires carry
_MAX_MEASURED = 16_777_216  # bytes; beyond, the size of arguments is not measured but unknown
_RECIPIENT_KINDS = frozenset({"channel", "email", "recipient"})
_ENCODER = msgspec.json.Encoder()


def said_by_caller(call: ActionCall) -> dict[str, Fact]:
    """`facts` and the scalars of `payload`, secrets left out; where both speak of one number, the greater."""
    facts: dict[str, Fact] = {}
    for name, value in call.payload.items():
        if isinstance(name, str) and is_scalar(value) and not secret_name(name):
            facts[name] = Fact(value=plain(value), source=CALLER)
    for name, value in call.facts.items():
        if secret_name(name):
            continue
        said = plain(value)
        if name not in facts or not _is_greater(facts[name].value, said):
            facts[name] = Fact(value=said, source=CALLER)
    return facts


def _is_greater(earlier: FactValue, said: FactValue) -> bool:
    return is_number(said) and is_number(earlier) and earlier > said  # type: ignore[operator]


def declared(spec: ToolSpec, arguments: Mapping[str, Any]) -> dict[str, Fact]:
    """What the tool's declaration says; None where its argument is missing or holds no scalar."""
    return {
        name: Fact(value=_declared(fact, arguments), source=DECLARED) for name, fact in spec.facts.items()
    }


def derived(request: Request) -> dict[str, Fact]:
    """Counted on the call itself: records, recipients, their domains, files, resources, size of arguments."""
    resources = request.resources
    told = {name: fact for name, fact in request.facts.items() if fact.source == TOLD}
    values: dict[str, FactValue] = {
        "resource_count": _count(resources),
        "argument_bytes": len(request.action.written) or _json_bytes(request.action.arguments),
    }
    recipients = [resource for resource in resources if resource.kind in _RECIPIENT_KINDS]
    if recipients:
        values["recipient_count"] = _recipients(recipients)
        values["domain_count"] = _domains(recipients)
    files = [resource for resource in resources if resource.kind == "file"]
    if files:
        values["file_count"] = _count(files)
    return told | {name: Fact(value=value, source=DERIVED) for name, value in values.items()}


def is_scalar(value: Any) -> bool:
    """True for what can be a fact: None, a truth value, a number, a short string."""
    if isinstance(value, str):
        return len(value) <= _MAX_STRING
    return value is None or isinstance(value, (int, float))


def plain(value: Any) -> FactValue:
    """The scalar itself; None, for unknown, where it is no number that can be compared and stored."""
    kind = type(value)
    if kind is int and -_MAX_INTEGER < value < _MAX_INTEGER:
        return int(value)
    if kind is float:
        return float(value) if math.isfinite(value) else None
    if not is_scalar(value):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        return None
    known: FactValue = value
    return known


def is_number(value: FactValue) -> bool:
    """True for a number that can be compared with a limit."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _declared(fact: FactSpec, arguments: Mapping[str, Any]) -> FactValue:
    if fact.value_of:
        found = at_path(arguments, fact.value_of)
        return None if found is MISSING else plain(found)
    if fact.count_of:
        found = at_path(arguments, fact.count_of)
        if found is MISSING:
            return None
        return (
            len(found) if isinstance(found, list | tuple | set | frozenset | dict) else int(found is not None)
        )
    return plain(fact.constant)


def _count(resources: Iterable[Resource]) -> FactValue:
    """Resources, and those that only a stand-in counts; None where a pattern stands for any number.

    So does a file whose name cannot be read: an expansion of a shell may be no file, or many.
    """
    total = 0
    for resource in resources:
        unnamed = "unreadable" in resource.attributes and "count" not in resource.attributes
        if resource.kind == "file" and (unnamed or "*" in resource.name or "?" in resource.name):
            return None
        total += resource.attributes.get("count", 1)
    return total


def _recipients(recipients: Iterable[Resource]) -> FactValue:
    """Each address once, however its case is written; None where a group stands for any number."""
    seen: set[tuple[str, str]] = set()
    more = 0
    for resource in recipients:
        if "group" in resource.attributes:
            return None
        if "unreadable" in resource.attributes:
            more += resource.attributes.get("count", 1)
        else:
            seen.add((resource.kind, resource.name.lower() if resource.kind == "email" else resource.name))
    return len(seen) + more


def _domains(recipients: Iterable[Resource]) -> FactValue:
    domains = set()
    for resource in recipients:
        unnamed = resource.kind == "recipient" and "group" in resource.attributes
        if unnamed or "unreadable" in resource.attributes:
            return None
        if resource.kind == "email":
            domains.add(resource.attributes.get("domain") or resource.name.rpartition("@")[2].lower())
    return len(domains)


def _json_bytes(arguments: Mapping[str, Any]) -> FactValue:
    for value in arguments.values():
        if isinstance(value, (str, bytes, list)) and len(value) > _MAX_MEASURED:
            return None
    try:
        return len(_ENCODER.encode(arguments))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
