"""GraphQL inside of a call: a mutation's operation, and how many records it tells. Never milder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from clearance.core.classify.graphql import classify_graphql, is_installed
from clearance.core.model import Operation
from clearance.core.model.effects import EffectClass
from clearance.core.model.names import canonical
from clearance.core.normalize.reading import strictest

# Where a document stands among the arguments of a tool, or in a body.
_DOCUMENTS = ("query", "mutation", "document", "graphql", "graphql_query", "gql")
_VARIABLES = ("variables", "query_variables")
_BEGINS = re.compile(r"(?:[\s,\ufeff]|#[^\n]*\n)*(?:\{|(?:query|mutation|subscription|fragment)\b[^{]*\{)")
# The brace of every document, or what stands for it in JSON or in an address.
_MAY_HOLD_ONE = re.compile(r"[{%\\]")
_MUTATES = re.compile(r"\bmutation\b")
_MOST_DOCUMENTS = 100  # of one batch; with more the call is not read
_MOST_CHARACTERS = 16_777_216  # of a body; a longer one is not looked into


class _Document(Struct, frozen=True, kw_only=True):
    text: str
    variables: Mapping[str, Any] = {}
    operation_name: str = ""


class Mutation(Struct, frozen=True, kw_only=True):
    """What the mutations of a call do: UPDATE or DELETE, or UNKNOWN where a document cannot be read."""

    operation: Operation
    count: int | None


def read_mutation(sources: Iterable[Any]) -> Mutation | None:
    """The mutations in arguments, bodies and addresses; None without any, or without the extra `graphql`."""
    documents = [document for source in sources if source is not None for document in _documents(source)]
    texts = [document for document in documents if _MUTATES.search(document.text)]
    if not texts or not is_installed():
        return None
    if len(documents) > _MOST_DOCUMENTS:
        return Mutation(operation=Operation.UNKNOWN, count=None)
    found = [mutation for document in texts if (mutation := _read(document)) is not None]
    if not found:
        return None
    operation = found[0].operation
    for mutation in found:
        operation = strictest(operation, mutation.operation)
    return Mutation(operation=operation, count=_sum(mutation.count for mutation in found))


def _read(document: _Document) -> Mutation | None:
    effects, touches = classify_graphql(
        document.text, document.variables, operation_name=document.operation_name
    )
    if EffectClass.UNKNOWN in effects.effects:
        return Mutation(operation=Operation.UNKNOWN, count=None)
    changes = [touch for touch in touches if touch.operation is not Operation.READ]
    if not changes:
        return None
    deletes = any(touch.operation is Operation.DELETE for touch in changes)
    return Mutation(
        operation=Operation.DELETE if deletes else Operation.UPDATE,
        count=_sum(touch.count for touch in changes),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _documents(source: Any) -> Iterator[_Document]:
    """Documents of an object, of a list of them, or of a text that is JSON, a document or an address."""
    if isinstance(source, bytes):
        source = source[:_MOST_CHARACTERS].decode(errors="replace")
    if isinstance(source, str):
        yield from _in_text(source)
    elif isinstance(source, Mapping):
        yield from _in_object(source)
    elif isinstance(source, list | tuple):
        for item in source:
            if isinstance(item, Mapping):
                yield from _in_object(item)


def _in_object(fields: Mapping[Any, Any]) -> Iterator[_Document]:
    by_name = {canonical(name[:128]): value for name, value in fields.items() if isinstance(name, str)}
    if by_name.keys().isdisjoint(_DOCUMENTS):
        return
    variables: Any = next((by_name[name] for name in _VARIABLES if by_name.get(name)), {})
    operation_name = by_name.get("operation_name")
    for name in _DOCUMENTS:
        text = by_name.get(name)
        if isinstance(text, str) and _BEGINS.match(text):
            yield _Document(
                text=text,
                variables=_variables(variables),
                operation_name=operation_name if isinstance(operation_name, str) else "",
            )


def _variables(value: Any) -> Mapping[str, Any]:
    """Given as an object, or as its JSON. Without them whatever they would give is unknown."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def _in_text(text: str) -> Iterator[_Document]:
    if len(text) > _MOST_CHARACTERS or _MAY_HOLD_ONE.search(text) is None:
        return
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        if _BEGINS.match(text):
            yield _Document(text=text)
        else:
            yield from _in_object(dict(_in_address(text)))
        return
    if not isinstance(value, str):
        yield from _documents(value)


def _in_address(text: str) -> list[tuple[str, str]]:
    """Fields of an address or of a form."""
    try:
        return parse_qsl(urlsplit(text).query if "://" in text[:16] else text.partition("?")[2] or text)
    except ValueError:
        return []
