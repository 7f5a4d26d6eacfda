"""What a GraphQL document would do: its root fields, through fragments. Needs the extra `graphql`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from msgspec import Struct

from clearance.core.classify.found import doing, thing
from clearance.core.model import Operation
from clearance.core.model.effects import Classification, unknown
from clearance.core.model.names import canonical
from clearance.core.model.radius import Exactness, Touch

_MOST_CHARACTERS = 100_000
_MOST_TOKENS = 10_000
_MOST_FIELDS = 1_000
# Arguments by which the server chooses what is changed.
_SELECTORS = frozenset(
    {"where", "filter", "filters", "query", "search", "condition", "all", "match", "selector"}
)
_DELETES = ("delete", "remove", "destroy", "purge", "truncate", "clear", "drop", "erase", "revoke")
_MANY = frozenset({"all", "batch", "bulk", "every", "everything", "many", "multiple"})
_PLURAL = re.compile(r".+[^ius]s")  # not `status`, `address`, `analysis`


class _Field(Struct, frozen=True, kw_only=True):
    name: str
    count: int | None  # of the longest list; 0 without one
    bare: bool  # without any argument


def classify_graphql(
    document: str, variables: Mapping[str, Any] | None = None, *, operation_name: str = ""
) -> tuple[Classification, tuple[Touch, ...]]:
    """Effects, and one touch for each root field of the operation that would run.

    A mutation is a write, or a deletion by its name; a field whose arguments choose by a condition has no
    count. A list of things among the arguments counts by its length.
    """
    try:
        language = import_module("graphql.language")
    except ImportError:
        return unknown("the extra `graphql` is not installed"), ()
    if len(document) > _MOST_CHARACTERS:
        return unknown("the document is too long"), ()
    try:
        tree = language.parse(document, no_location=True, max_tokens=_MOST_TOKENS)
        return _classified(tree.definitions, variables or {}, operation_name)
    except Exception:  # a parser's own error, or a document that no list foresees: not read
        return unknown("the document cannot be read"), ()


def is_installed() -> bool:
    """True where the extra `graphql` is there."""
    try:
        import_module("graphql.language")
    except ImportError:
        return False
    return True


def _classified(
    definitions: Any, variables: Mapping[str, Any], wanted: str
) -> tuple[Classification, tuple[Touch, ...]]:
    operations = [each for each in definitions if each.kind == "operation_definition"]
    chosen = [each for each in operations if not wanted or (each.name and each.name.value == wanted)]
    if len(chosen) != 1:
        return unknown("which operation runs is not told"), ()
    fragments = {each.name.value: each for each in definitions if each.kind == "fragment_definition"}
    fields = [*_fields(chosen[0].selection_set, fragments, variables, ())]
    kind = chosen[0].operation.value
    if not fields or len(fields) > _MOST_FIELDS:
        return unknown("the operation has no field, or too many"), ()
    touches = tuple(_touch(field, kind) for field in fields)
    deletes = any(touch.operation is Operation.DELETE for touch in touches)
    effects = (
        "read+outbound" if kind != "mutation" else "write+delete+outbound" if deletes else "write+outbound"
    )
    return doing(effects, *(thing("graphql", touch.resource, touch.operation) for touch in touches)), touches


def _touch(field: _Field, kind: str) -> Touch:
    operation = Operation.READ
    if kind == "mutation":
        operation = Operation.DELETE if _deletes(field.name) else Operation.UPDATE
    many = field.count == 0 and kind == "mutation" and (_of_many(field.name) or _empties(field))
    count = None if many or field.count is None else max(field.count, 1)
    exactness = Exactness.UNKNOWN if count is None else Exactness.BOUND
    return Touch(resource=f"{kind}.{field.name}", operation=operation, count=count, exactness=exactness)


def _of_many(name: str) -> bool:
    """True for `deleteUsers` and `archiveAll`: without a list of them, the server chooses which."""
    first, *words = canonical(name).split("_")
    return first in _MANY or any(word in _MANY or _PLURAL.fullmatch(word) for word in words)


def _empties(field: _Field) -> bool:
    return field.bare and _deletes(field.name)


def _deletes(name: str) -> bool:
    return any(word in name.lower() for word in _DELETES)


def _fields(
    selection: Any, fragments: Mapping[str, Any], variables: Mapping[str, Any], seen: tuple[str, ...]
) -> Iterator[_Field]:
    """Root fields, through inline and named fragments. Directives may leave one out: each counts as run."""
    for node in selection.selections:
        if node.kind == "field":
            yield _Field(
                name=node.name.value, count=_count(node.arguments, variables), bare=not node.arguments
            )
        elif node.kind == "inline_fragment":
            yield from _fields(node.selection_set, fragments, variables, seen)
        else:
            name = node.name.value
            if name in seen:
                raise ValueError("a fragment holds itself")
            yield from _fields(fragments[name].selection_set, fragments, variables, (*seen, name))


def _count(arguments: Any, variables: Mapping[str, Any]) -> int | None:
    """The longest list among the arguments, 0 without one, None where a condition chooses."""
    longest = 0
    for argument in arguments or ():
        found = _listed(argument.name.value, _value(argument.value, variables))
        if found is None:
            return None
        longest = max(longest, found)
    return longest


def _listed(name: str, value: Any) -> int | None:
    """Entries of every list, with the lists inside them; 0 without a list."""
    if value is _MISSING or (name.lower().lstrip("_") in _SELECTORS and value is not None):
        return None
    if isinstance(value, list | tuple):
        return _total((_listed("", item) for item in value), least=1)
    if isinstance(value, Mapping):
        return _total((_listed(str(key), part) for key, part in value.items()), least=0)
    return 0


def _total(counts: Iterable[int | None], *, least: int) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += max(count, least)
    return total


_MISSING = object()


def _value(node: Any, variables: Mapping[str, Any]) -> Any:
    """The value that is written, or that a variable gives; a variable that is not given may be anything."""
    match node.kind:
        case "variable":
            return variables.get(node.name.value, _MISSING)
        case "list_value":
            return [_value(item, variables) for item in node.values or ()]
        case "object_value":
            return {field.name.value: _value(field.value, variables) for field in node.fields or ()}
        case _:
            return getattr(node, "value", None)
