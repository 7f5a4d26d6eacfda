"""How many things one HTTP request changes, by its body and address. None: only the server can tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from clearance.core.model import Operation
from clearance.core.model.radius import Exactness, Touch

# Fields that hold one entry for each thing; Google batch, Salesforce composite, DynamoDB, Stripe-like ids, …
_LISTS_LIST = """
    requests operations records ids items entries objects rows documents batch messages events users contacts
    compositerequest requestitems putrequests deleterequests instances keys updates deletes creates inserts
    issueupdates recordids resources actions inputs
"""
_LISTS = frozenset(_LISTS_LIST.split())
# Fields that choose things by a condition: how many they are, only the server knows.
_SELECTORS_LIST = """
    filter filters query where selector match criteria search searchquery jql soql q condition conditions
    segment expression all everything
"""
_SELECTORS = frozenset(_SELECTORS_LIST.split())
_SELECTING_PATH = re.compile(
    r"/(?:_delete_by_query|_update_by_query|_reindex|delete_?all|truncate|purge|clear)\b", re.I
)
_COLLECTION = re.compile(r"/[A-Za-z_-]*[A-Za-z]s/?$")  # `/users`, not `/users/7`
_IDS = frozenset({"ids", "id", "ids[]", "id[]", "key", "keys"})
_BULK_ACTIONS = frozenset({"index", "create", "update", "delete"})
_MOST_DEPTH = 4


def bulk_count(method: str, url: str, body: Any = None) -> int | None:
    """How many things the request changes: 1 for a plain one; None where a condition chooses them."""
    try:
        parts = urlsplit(url)
        ids = [value for name, value in parse_qsl(parts.query) if name.lower() in _IDS]
        names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        return None
    if _SELECTING_PATH.search(parts.path) or (method.upper() not in ("GET", "HEAD") and names & _SELECTORS):
        return None
    in_address = sum(len([part for part in re.split(r"[,;]", value) if part]) for value in ids)
    in_body = _of_text(body) if isinstance(body, str | bytes) else _of_value(body, 0)
    if in_body is None:
        return None
    if in_address or in_body:
        return max(in_address, in_body, 1)
    if method.upper() == "DELETE" and _COLLECTION.search(parts.path):
        return None
    return 1


def bulk_touch(method: str, url: str, *, operation: Operation, body: Any = None) -> Touch:
    """The same as a touch of the address, without its query. An estimate: names of fields are no contract."""
    count = bulk_count(method, url, body)
    exactness = Exactness.UNKNOWN if count is None else Exactness.ESTIMATE
    resource = url.split("?", 1)[0].split("#", 1)[0]
    return Touch(resource=resource, operation=operation, count=count, exactness=exactness)


def _of_text(body: str | bytes) -> int | None:
    """JSON, JSON lines (the `_bulk` of a search engine), the parts of a batch; 0 for any other text."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    stripped = text.strip()
    if not stripped:
        return 0
    if stripped.startswith("--"):
        return len(re.findall(r"(?im)^content-type:\s*application/http\b", stripped))
    if stripped[0] not in "[{":
        return 0
    try:
        return _of_value(msgspec.json.decode(stripped), 0)
    except (msgspec.DecodeError, RecursionError):
        return _of_lines(stripped)


def _of_lines(text: str) -> int | None:
    """Each action line is one thing; the line after it is its content, but for a deletion."""
    count, content = 0, False
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return None
        if content:
            content = False
            continue
        count += 1
        action = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else ""
        content = action in _BULK_ACTIONS and action != "delete"
    return count


def _of_value(value: Any, depth: int) -> int | None:
    """A list at the top, the longest known list, or the sum of a map of lists (`RequestItems`)."""
    if isinstance(value, list | tuple):
        return len(value)
    if not isinstance(value, Mapping) or depth > _MOST_DEPTH:
        return 0
    counts: list[int] = []
    for name, inner in value.items():
        plain = str(name).lower().replace("_", "").replace("-", "")
        if plain in _SELECTORS and inner not in (None, False, "", [], {}):
            return None
        if isinstance(inner, list | tuple):
            things = plain in _LISTS or (inner and all(isinstance(item, Mapping) for item in inner))
            counts.append(len(inner) if things else 0)
        elif isinstance(inner, Mapping):
            listed = [len(part) for part in inner.values() if isinstance(part, list | tuple)]
            counts.append(sum(listed) if plain in _LISTS else 0)
            nested = _of_value(inner, depth + 1)
            if nested is None:
                return None
            counts.append(nested)
    return max(counts, default=0)
