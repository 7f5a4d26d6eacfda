"""Which resources a call touches: as its caller or its tool's declaration says, else as arguments show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import islice, product
from typing import Any

from clearance.core.model import Family, Resource
from clearance.core.model.names import canonical
from clearance.core.model.paths import at_path
from clearance.core.normalize.argument_names import KIND, MESSAGE_ONLY, OPAQUE
from clearance.core.normalize.files import file_resource, read_files
from clearance.core.normalize.groups import GROUP_NAMES, as_group, read_groups
from clearance.core.normalize.http import read_urls, url_resource
from clearance.core.normalize.message import read_addresses, read_raw, read_recipients, recipient
from clearance.core.normalize.reading import MAX_RESOURCES, each, named, unreadable

_KINDS_LIST = """
    account bigquery bucket channel clickhouse command container customer database dns email file
    function gcs group gs host key kubernetes mongodb mariadb mcp model mssql mysql oracle order phone
    pod postgres queue recipient redis repo resource role s3 secret service snowflake sql sqlite table
    team tool topic url user
"""
KINDS = frozenset(_KINDS_LIST.split())
_FIELD = re.compile(r"\{([^{}]+)\}")
_MAX_KEY = 128  # characters; a longer argument name is none of the known ones


def _names(kind: str) -> Callable[[Any], list[Resource]]:
    return lambda value: each(value, lambda item: _named_by(kind, item), kind=kind)


def _named_by(kind: str, value: Any) -> Resource:
    if isinstance(value, str):
        return named(kind, value.strip().removeprefix("#"))
    plain = isinstance(value, int) and not isinstance(value, bool)
    return named(kind, str(value)) if plain else unreadable(kind)


_READ: dict[str, Callable[[Any], list[Resource]]] = {
    "file": read_files,
    "url": read_urls,
    "recipient": read_recipients,
    "address": read_addresses,
    "channel": lambda value: [as_group(channel) for channel in _names("channel")(value)],
    **{kind: _names(kind) for kind in ("table", "s3", "database", "queue", "topic", "account")},
}


def given(text: Any) -> Resource:
    """A resource as its caller wrote it: `kind:name` of a known kind, a URL, an address, or just a name."""
    if not isinstance(text, str):
        return unreadable("resource")
    kind, colon, rest = text.partition(":")
    if colon and rest.startswith("//") and kind.lower() != "file":
        return url_resource(text)
    if colon and kind.lower() in KINDS:
        return _of_kind(kind.lower(), rest)
    if "@" in text and not colon and "/" not in text and " " not in text:
        return recipient(text)
    return named("resource", text)


def _of_kind(kind: str, rest: str) -> Resource:
    if kind == "file":
        return file_resource(rest)
    if kind == "url":
        return url_resource(rest)
    if kind == "email":
        return recipient(rest)
    return named(kind, rest)


def templated(template: str, arguments: Mapping[str, Any]) -> list[Resource]:
    """A declared template with argument values put in; one resource for each item of a list."""
    choices = [_texts(at_path(arguments, field)) for field in _FIELD.findall(template)]
    literal = _FIELD.sub("{}", template).split("{}")
    kind = literal[0].partition(":")[0].lower()
    if not all(choices):
        return [unreadable(kind if kind in KINDS else "resource")]
    found = []
    for values in islice(product(*choices), MAX_RESOURCES):
        pieces = [piece for pair in zip(literal, (*values, ""), strict=True) for piece in pair]
        found.append(given("".join(pieces)))
    return found


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list | tuple) else [value]
    plain = [item for item in items if isinstance(item, str | int | float) and item != ""]
    return [str(item) for item in plain] if len(plain) == len(items) else []


def by_canonical_name(arguments: Mapping[Any, Any]) -> dict[str, Any]:
    """The arguments by canonical name; those whose name is no text, or absurdly long, are left out."""
    return {
        canonical(key) or key: value
        for key, value in arguments.items()
        if isinstance(key, str) and len(key) <= _MAX_KEY
    }


def recognised(by_name: Mapping[str, Any], *, family: Family | None, depth: int = 0) -> list[Resource]:
    """From arguments of well-known names, and from those of objects one level inside."""
    found: list[Resource] = []
    for name, value in by_name.items():
        kind = KIND.get(name)
        if family is Family.MESSAGE and name in MESSAGE_ONLY:
            kind = "recipient"
        if family is Family.MESSAGE and name == "raw":
            found += read_raw(value)
        elif family is Family.MESSAGE and name in GROUP_NAMES:
            found += read_groups(value)
        elif kind is not None:
            found += _READ[kind](value)
        elif depth == 0 and isinstance(value, dict) and name not in OPAQUE:
            found += recognised(by_canonical_name(value), family=family, depth=1)
    return found
