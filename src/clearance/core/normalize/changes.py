"""How many records a call's HTTP body, address or GraphQL tells that it changes. Makes no operation milder.

An agent may add arguments to a tool that ignores them. So a number counts as told only where nothing but the
request can be meant; elsewhere it raises what is claimed, and nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from msgspec import Struct

from clearance.core.classify.http_bulk import changed_records
from clearance.core.classify.records import Records, at_least, together
from clearance.core.model import Family, Operation
from clearance.core.model.names import canonical
from clearance.core.normalize import argument_names as names
from clearance.core.normalize.graphql import read_mutation
from clearance.core.normalize.http import BODY_NAMES, told_by_methods
from clearance.core.normalize.naming import MAX_NAME, suggested
from clearance.core.normalize.reading import strictest

_POSTED = frozenset({Operation.SEND, Operation.CREATE})
_QUERIES = ("params", "query", "query_params")
# Words of a tool's name that only say that a request is made, and what it is made of.
_REQUESTING_LIST = """
    api call client curl do execute fetch http https invoke json make raw request requests rest run send tool
    url web delete get patch post put
"""
_REQUESTING = frozenset(_REQUESTING_LIST.split())
_GRAPHQL = frozenset({"gql", "graphql"})
_BESIDE_A_DOCUMENT_LIST = """
    document extensions gql graphql graphql_query mutation operation_name query query_params query_variables
    timeout variables
"""
_BESIDE_A_DOCUMENT = frozenset(_BESIDE_A_DOCUMENT_LIST.split())
_READ_BY_OTHERS = frozenset({Family.FILE, Family.GENERIC, Family.MESSAGE, Family.SHELL, Family.SQL})
_LAST_PART = re.compile(r"__+|[./:]+")


class Changes(Struct, frozen=True, kw_only=True):
    """The operation with what a mutation makes of it; `records` is None where nothing is told of them."""

    operation: Operation
    records: Records | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """One call: its tool's name, declared and guessed family, and the addresses among its arguments."""

    name: str
    by_name: Mapping[str, Any]
    declared: Family | None
    family: Family | None
    targets: Sequence[Any]
    operation: Operation


def read_changes(asked: Asked) -> Changes:
    """What the call changes, as far as its own text tells; nothing where another family is declared."""
    if asked.declared in _READ_BY_OTHERS:
        return Changes(operation=asked.operation)
    mutation = read_mutation(_sources(asked))
    operation, records = asked.operation, None
    if asked.family is Family.HTTP and operation is not Operation.READ:
        records = _in_requests(asked)
    if mutation is None:
        return Changes(operation=operation, records=records)
    if not _is_graphql(asked):
        records = together([records, at_least(Records(count=mutation.count))])
        return Changes(operation=_in_doubt(operation, mutation.operation), records=records)
    beside = records.count if records is not None and records.count is not None else 0
    known = mutation.count is not None and (records is None or records.count is not None)
    return Changes(
        operation=strictest(operation, mutation.operation),
        records=Records(count=max(mutation.count or 0, beside) if known else None),
    )


def _in_doubt(operation: Operation, mutation: Operation) -> Operation:
    """Where the tool may not read the document at all, a rule about either operation has to match."""
    if operation in (Operation.READ, Operation.MODEL_CALL):
        return mutation
    return operation if strictest(operation, mutation) is operation else Operation.UNKNOWN


def _in_requests(asked: Asked) -> Records | None:
    """Of all addresses and bodies. Where there are several, one of them may be ignored."""
    bodies = [asked.by_name[name] for name in BODY_NAMES if asked.by_name.get(name)]
    addresses = [target if isinstance(target, str) else "" for target in asked.targets]
    found = [_in_request(asked, url, body) for url in addresses or [""] for body in bodies or [None]]
    records = together(found)
    return records if len(found) == 1 and _only_requests(asked) else at_least(records)


def _in_request(asked: Asked, url: str, body: Any) -> Records | None:
    """Parameters beside the address may be ignored: their conditions count, their ids only raise a claim."""
    method = _method(asked, url)
    plain = changed_records(method, url, body=body)
    for name in _QUERIES:
        params = asked.by_name.get(name)
        if not params or plain == Records(count=None):
            continue
        found = changed_records(method, url, params=params, body=body)
        if found != plain:
            plain = found if found == Records(count=None) else at_least(together([found, plain]))
    return plain


def _method(asked: Asked, url: str) -> str:
    """The strictest that a method, an override or the tool's name tells; POST only where they say so."""
    said = told_by_methods(asked.by_name, url)
    if not {Operation.DELETE, Operation.UNKNOWN}.isdisjoint((*said, asked.operation)):
        return "DELETE"
    changes = not said and asked.operation not in _POSTED
    return "PATCH" if changes or Operation.UPDATE in (*said, asked.operation) else "POST"


def _sources(asked: Asked) -> Iterator[Any]:
    yield asked.by_name
    if asked.family is Family.HTTP or not _GRAPHQL.isdisjoint(_words(asked.name)):
        yield from (asked.by_name.get(name) for name in BODY_NAMES)
        queries = (asked.by_name.get(name) for name in _QUERIES)
        yield from (fields for fields in queries if not isinstance(fields, str))
        yield from asked.targets


def _words(name: str) -> list[str]:
    return canonical(_LAST_PART.split(name[:MAX_NAME])[-1]).split("_")


def _only_requests(asked: Asked) -> bool:
    """True where the tool is declared to make requests, or its name and arguments say nothing else."""
    if asked.declared is Family.HTTP:
        return True
    beside = names.BESIDE | _BESIDE_A_DOCUMENT | set(BODY_NAMES)
    return _REQUESTING.issuperset(_words(asked.name)) and _has_only(asked, beside)


def _is_graphql(asked: Asked) -> bool:
    """True where the document is what the tool runs: by its address, or by its name and other arguments."""
    if asked.targets:
        return all(map(_names_graphql, asked.targets)) and _only_requests(asked)
    suggestion = suggested(asked.name)
    says_so = not _GRAPHQL.isdisjoint(_words(asked.name)) and suggestion.beyond_carrier in _SAYS_NOTHING
    beside = _BESIDE_A_DOCUMENT | set(BODY_NAMES) | {"headers"}
    return (says_so or suggestion.only_carries) and _has_only(asked, beside)


def _names_graphql(url: Any) -> bool:
    """True where the last part of the path does, as in `/v1/graphql`."""
    if not isinstance(url, str):
        return False
    address = url.split("?", 1)[0].split("#", 1)[0].rstrip("/").rpartition("//")[2]
    last = address.rpartition("/")[2].lower() if "/" in address else ""
    return any(word in last for word in _GRAPHQL)


_SAYS_NOTHING = (None, Operation.READ, Operation.EXECUTE)


def _has_only(asked: Asked, beside: Set[str]) -> bool:
    return all(
        name in beside or value is None or isinstance(value, (bool, int, float))
        for name, value in asked.by_name.items()
    )
