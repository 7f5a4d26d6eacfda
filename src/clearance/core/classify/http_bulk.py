"""How many things one HTTP request changes, by its body and address. None: only the server can tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from clearance.core.classify.records import AT_LEAST, Records
from clearance.core.model import Operation
from clearance.core.model.radius import Exactness, Touch

# Fields that hold one entry for each thing; Google batch, Salesforce composite, DynamoDB, Stripe-like ids, …
_LISTS_LIST = """
    requests operations records ids items entries objects rows documents batch messages events users contacts
    compositerequest requestitems putrequests deleterequests instances keys updates deletes creates inserts
    issueupdates recordids resources actions inputs
"""
_LISTS = frozenset(_LISTS_LIST.split())
# Lists of objects that are the content of one thing: a rich text, a form, a message with buttons.
_CONTENT_LIST = (
    "attachments blocks children columns content embeds fields headers labels marks sections sort tags"
)
_CONTENT = frozenset(_CONTENT_LIST.split())
# Fields that choose things by a condition: how many they are, only the server knows.
_SELECTORS_LIST = """
    filter filters query where selector match criteria search searchquery jql soql q condition conditions
    segment expression all everything
"""
_SELECTORS = frozenset(_SELECTORS_LIST.split())
_SELECTING_PATH = re.compile(
    r"/(?:_?(?:delete|update)[_-]?by[_-]?(?:query|filter)|_reindex|delete[_-]?all|truncate|purge|clear)\b"
    r"|\*|/_all(?:/|$)",
    re.I,
)
# A POST that only looks for something; its conditions change nothing.
_SEARCHING_PATH = re.compile(r"/(?:_?m?search|searches|_?count|query|queries|find|lookup|filter)/?$", re.I)
_COLLECTION = re.compile(r"/[A-Za-z_-]*[A-Za-z]s/?$")  # `/users`, not `/users/7`
_IDS = frozenset({"ids", "id", "ids[]", "id[]"})
_ID = re.compile(r"(?!(?:all|any)$)[\w-]{1,128}", re.I)  # `gt.5` and `*` choose by a condition
_BULK_ACTIONS = frozenset({"index", "create", "update", "delete"})
_MOST_DEPTH = 4
_MOST_CHARACTERS = 16_777_216  # of a body; a longer one is not read
_MOST_LOOKED_INTO = 10_000  # entries of one list; each further one counts as one thing


class _Chosen(IntEnum):
    """How things are told: each by itself, by a condition a search may have too, by one that changes them."""

    ONE_BY_ONE = 0
    BY_CONDITION = 1
    BY_CHANGE = 2


class _Found(Struct, frozen=True, kw_only=True):
    listed: int = 0
    chosen: _Chosen = _Chosen.ONE_BY_ONE


_CONDITION = _Found(chosen=_Chosen.BY_CONDITION)
_CHANGE = _Found(chosen=_Chosen.BY_CHANGE)


def bulk_count(method: str, url: str, body: Any = None) -> int | None:
    """How many things the request changes: 1 for a plain one; None where a condition chooses them."""
    parts = _parts(url)
    found = _CHANGE if parts is None else _both(_of_address(method, parts, None), _of_body(body))
    if parts is None or found.chosen:
        return None
    if not found.listed and method.upper() == "DELETE" and _COLLECTION.search(parts.path):
        return None
    return max(found.listed, 1)


def bulk_touch(method: str, url: str, *, operation: Operation, body: Any = None) -> Touch:
    """The same as a touch of the address, without its query. An estimate: names of fields are no contract."""
    count = bulk_count(method, url, body)
    exactness = Exactness.UNKNOWN if count is None else Exactness.ESTIMATE
    resource = url.split("?", 1)[0].split("#", 1)[0]
    return Touch(resource=resource, operation=operation, count=count, exactness=exactness)


def changed_records(method: str, url: str, *, params: Any = None, body: Any = None) -> Records | None:
    """What a request that changes something tells of how many. None: nothing, as a plain one does.

    A POST may only look for something, so a condition in it tells nothing, unless its path says otherwise.
    A body that a DELETE of a whole collection carries may be ignored by the server: no fewer is all it tells.
    """
    parts, verb = _parts(url), method.upper()
    if parts is None:
        return Records(count=None)
    if _SELECTING_PATH.search(parts.path):
        return Records(count=None)
    if verb == "POST" and _SEARCHING_PATH.search(parts.path):
        return None
    address, content = _of_address(verb, parts, params), _of_body(body)
    found = _both(address, content)
    if found.chosen is _Chosen.BY_CONDITION and verb == "POST":
        return Records(count=found.listed, basis=AT_LEAST) if found.listed else None
    if found.chosen:
        return Records(count=None)
    if verb == "DELETE" and not address.listed and _COLLECTION.search(parts.path):
        return Records(count=content.listed, basis=AT_LEAST) if content.listed else Records(count=None)
    return Records(count=found.listed) if found.listed else None


def _parts(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _both(address: _Found, body: _Found) -> _Found:
    """An address and a body may name the same things: the longer list counts."""
    return _Found(listed=max(address.listed, body.listed), chosen=max(address.chosen, body.chosen))


def _of_address(method: str, parts: SplitResult, params: Any) -> _Found:
    if _SELECTING_PATH.search(parts.path):
        return _CHANGE
    try:
        pairs = [*parse_qsl(parts.query, keep_blank_values=True), *_pairs(params)]
    except (TypeError, ValueError):
        return _CONDITION
    if method.upper() not in ("GET", "HEAD") and any(name.lower() in _SELECTORS for name, _ in pairs):
        return _CONDITION
    values = [value for name, value in pairs if name.lower() in _IDS]
    ids = [part for value in values for part in re.split(r"[,;]", value) if part]
    return _CONDITION if not all(map(_ID.fullmatch, ids)) else _Found(listed=len(ids))


def _pairs(params: Any) -> Iterable[tuple[str, str]]:
    """Query parameters as an HTTP client takes them: a text, an object, or a list of pairs."""
    if isinstance(params, str | bytes):
        text = params if isinstance(params, str) else params.decode(errors="replace")
        return parse_qsl(text.lstrip("?"), keep_blank_values=True)
    given = params.items() if isinstance(params, Mapping) else params or ()
    return [
        (str(name), str(item))
        for name, value in given
        for item in (value if isinstance(value, list | tuple) else [value])
    ]


def _of_body(body: Any) -> _Found:
    if not isinstance(body, str | bytes):
        return _of_value(body, 0)
    if len(body) > _MOST_CHARACTERS:
        return _CHANGE
    return _of_text(body.decode(errors="replace") if isinstance(body, bytes) else body)


def _of_text(text: str) -> _Found:
    """JSON, JSON lines (the `_bulk` of a search engine), the parts of a batch; nothing in any other text."""
    stripped = text.strip()
    if stripped.startswith("--"):
        return _Found(listed=len(re.findall(r"(?im)^content-type:\s*application/http\b", stripped)))
    if stripped[:1] not in ("[", "{"):
        return _Found()
    try:
        return _of_value(msgspec.json.decode(stripped), 0)
    except (msgspec.DecodeError, RecursionError):
        return _of_lines(stripped)


def _of_lines(text: str) -> _Found:
    """Each action line is one thing; the line after it is its content, but for a deletion."""
    count, content = 0, False
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return _CONDITION
        if content:
            content = False
            continue
        count += 1
        action = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else ""
        content = action in _BULK_ACTIONS and action != "delete"
    return _Found(listed=count)


def _of_value(value: Any, depth: int) -> _Found:
    """A list at the top, and every known list of an object, with the lists inside their entries."""
    if isinstance(value, list | tuple):
        return _of_list(value, depth)
    if not isinstance(value, Mapping) or depth > _MOST_DEPTH:
        return _Found()
    listed, chosen = 0, _Chosen.ONE_BY_ONE
    for name, inner in value.items():
        plain = _plain(name) if isinstance(name, str) else ""
        if plain in _SELECTORS:
            if inner not in (None, False, "", [], {}):
                chosen = max(chosen, _Chosen.BY_CONDITION)
            continue
        found = _of_field(plain, inner, depth)
        listed, chosen = listed + found.listed, max(chosen, found.chosen)
    return _Found(listed=listed, chosen=chosen)


def _of_field(plain: str, inner: Any, depth: int) -> _Found:
    if isinstance(inner, list | tuple):
        objects = plain not in _CONTENT and bool(inner) and all(isinstance(item, Mapping) for item in inner)
        return _of_list(inner, depth) if plain in _LISTS or objects else _Found()
    found = _of_value(inner, depth + 1)
    if plain in _LISTS and isinstance(inner, Mapping):  # a map of lists, one for each table
        lengths = sum(len(part) for part in inner.values() if isinstance(part, list | tuple))
        return _Found(listed=max(lengths, found.listed), chosen=found.chosen)
    return found


def _of_list(items: list[Any] | tuple[Any, ...], depth: int) -> _Found:
    if depth > _MOST_DEPTH:
        return _Found(listed=len(items))
    listed, chosen = max(len(items) - _MOST_LOOKED_INTO, 0), _Chosen.ONE_BY_ONE
    for item in islice(items, _MOST_LOOKED_INTO):
        found = _of_request(item, depth) or _of_value(item, depth + 1)
        listed, chosen = listed + max(found.listed, 1), max(chosen, found.chosen)
    return _Found(listed=listed, chosen=chosen)


def _of_request(item: Any, depth: int) -> _Found | None:
    """An entry of a batch that is a request itself: what its own address and body tell."""
    if not isinstance(item, Mapping) or not isinstance(item.get("method"), str):
        return None
    target = next((item[name] for name in ("url", "path", "relative_url") if name in item), None)
    parts = _parts(target) if isinstance(target, str) else None
    if parts is None:
        return None
    verb = item["method"].upper()
    found = _both(_of_address(verb, parts, None), _of_value(item.get("body"), depth + 1))
    whole = verb == "DELETE" and _COLLECTION.search(parts.path) and not parts.query
    if whole or (found.chosen and verb not in ("GET", "HEAD", "POST")):
        return _CHANGE
    return found


@lru_cache(maxsize=4_096)
def _plain(name: str) -> str:
    return name[:128].lower().replace("_", "").replace("-", "").removesuffix("[]")
