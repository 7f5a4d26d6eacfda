"""What may be stored: a JSON copy without secrets, bounded in size and depth. Never raises on a value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from clearance.core.model.names import secret_name
from clearance.core.redact.opening import MAX_DEPTH, MAX_INTEGER, opened
from clearance.core.redact.text import clean_text, found

MAX_KEY = 256  # characters
MAX_STRING = 8_192  # characters
_NOTE = 64  # characters; the longest note on what was cut
_ENCODER = msgspec.json.Encoder()
_KNOWN_KEYS: set[str] = set()  # a memory of `secret_name`, which depends on nothing but the key
_MOST_KNOWN, _LONGEST_KNOWN = 8_192, 64
_ONLY_TEXT = frozenset({str})


def stored(value: Any, *, max_string: int = MAX_STRING, max_total: int = 65_536) -> Any:
    """A JSON value that may be stored. What is that already is returned as it is.

    Arguments of a secret's name become `[redacted:<name>]`, secrets within text `[redacted:secret]`. No
    string is over `max_string` characters, the JSON not over `max_total` bytes and MAX_DEPTH levels; what is
    cut says how much it was and its SHA-256 (first 16 hex). Both limits are at least 128.
    """
    plain = _Plain(max_string, max_total)
    is_clean = plain.holds(value) and not found("\n".join(plain.texts), ("secret",))
    if is_clean and not plain.is_long and plain.is_within(max_total, value):
        return value
    made = _Copy(max_string, max_total * 2, is_clean=is_clean).of(value)
    if len(_ENCODER.encode(made)) > max_total:
        made = _Copy(max_string, max_total * 3 // 4, is_clean=False).of(made)
    raw = _ENCODER.encode(made)
    return made if len(raw) <= max_total else _note(raw)


class _Plain:
    """Looks through one value, level by level: a loop, since it runs over all that is recorded."""

    def __init__(self, max_string: int, max_items: int) -> None:
        self.texts: list[str] = []  # every key and text: what has to be looked into
        self.is_long = False  # one of them has to be cut
        self._max_string = max_string
        self._max_items = max_items
        self._items = 0

    def holds(self, value: Any) -> bool:
        """True for plain JSON of bounded depth and number of items, without a secret's name."""
        level: list[Any] = [[value]]
        for _ in range(MAX_DEPTH + 1):
            below: list[Any] = []
            for container in level:
                self._items += len(container)
                if self._items > self._max_items or not self._gathers(container, below):
                    return False
            if not below:
                return True
            level = below
        return False

    def is_within(self, most: int, value: Any) -> bool:
        """Of so many bytes of JSON: at most six for a character of a text and 32 for the rest of an item."""
        bound = 6 * sum(map(len, self.texts)) + 32 * self._items
        return bound <= most or len(_ENCODER.encode(value)) <= most

    def _gathers(self, container: Any, below: list[Any]) -> bool:
        """Its texts, and the containers in it for the next level."""
        items, texts = container, self.texts
        if type(container) is dict:
            if not (_has_known_keys(container) or all(map(_may_be_key, container, container.values()))):
                return False
            texts += container
            items = container.values()
        for item in items:
            kind = type(item)
            if kind is str:
                self.is_long = self.is_long or len(item) > self._max_string
                texts.append(item)
            elif kind is dict or kind is list:
                below.append(item)
            elif not (kind is bool or item is None or _is_number(item, kind)):
                return False
        return True


def _has_known_keys(container: dict[Any, Any]) -> bool:
    """True where each was looked at before and is the name of no secret: most are the same ones."""
    return _KNOWN_KEYS.issuperset(container) and _ONLY_TEXT.issuperset(map(type, container))


def _may_be_key(key: Any, item: Any) -> bool:
    if type(key) is not str or len(key) > MAX_KEY:
        return False
    name = secret_name(key)
    if not name and len(key) <= _LONGEST_KNOWN and len(_KNOWN_KEYS) < _MOST_KNOWN:
        _KNOWN_KEYS.add(key)
    return not name or (type(item) is str and item == f"[redacted:{name}]")


def _is_number(item: Any, kind: type) -> bool:
    """One that every reader of JSON takes."""
    return (kind is int and -MAX_INTEGER < item < MAX_INTEGER) or (kind is float and isfinite(item))


class _Copy:
    """A JSON copy of any value. `left` is how many bytes of JSON it may still take.

    Of a value that `is_clean` all texts were searched, and hold no secret: only what is cut is scrubbed.
    """

    def __init__(self, max_string: int, left: int, *, is_clean: bool) -> None:
        self._is_clean = is_clean
        self._max_string = max_string
        self._left = left

    def of(self, value: Any, depth: int = 0) -> Any:
        value = opened(value)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (dict, list)):
            if depth >= MAX_DEPTH:
                return self._text("[cut: too deep]")
            return self._mapping(value, depth) if isinstance(value, dict) else self._list(value, depth)
        self._left -= 24  # the longest number, or a word
        return value

    def _mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        self._left -= 2
        for seen, (key, item) in enumerate(value.items()):
            if self._left <= 0:
                made[unused(made, "…")] = f"[cut {len(value) - seen} more]"
                break
            text = key if type(key) is str else str(opened(key))
            name = secret_name(text)
            shown = unused(made, self._text(text, MAX_KEY))
            made[shown] = self._text(f"[redacted:{name}]") if name else self.of(item, depth + 1)
        return made

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        made: list[Any] = []
        self._left -= 2
        for item in value:
            if self._left <= 0:
                made.append(f"[cut {len(value) - len(made)} more]")
                break
            made.append(self.of(item, depth + 1))
        return made

    def _text(self, text: str, limit: int = 0) -> str:
        clean = text if self._is_clean else clean_text(text)
        limit = min(limit or self._max_string, self._max_string)
        if len(clean) > limit or len(clean) > self._left:
            clean = _cut(clean, max(min(limit, self._left), _NOTE))
        self._left -= len(_ENCODER.encode(clean)) + 1
        return clean


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, with a note on the rest. What the cut lays bare is scrubbed too."""
    kept = clean_text(text[: limit - _NOTE])[: limit - _NOTE]
    rest = text[len(kept) :].encode()
    return kept + _note(rest, text.encode())


def _note(rest: bytes, whole: bytes = b"") -> str:
    return f"…[cut {len(rest)} bytes, sha256 {hashlib.sha256(whole or rest).hexdigest()[:16]}]"


def unused(made: Mapping[Any, Any], key: str) -> str:
    """The key, or the key with a number where it is taken."""
    shown, number = key, 1
    while shown in made:
        number += 1
        shown = f"{key[: MAX_KEY - 16]}#{number}"
    return shown
