"""What may be stored: a JSON copy without secrets, bounded in size and depth. Never raises on a value."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from clearance.core.model.names import secret_name
from clearance.core.redact.opening import MAX_DEPTH, MAX_INTEGER, opened
from clearance.core.redact.text import clean_text, found

MAX_KEY = 256  # characters
_NOTE = 64  # characters; the longest note on what was cut
_ENCODER = msgspec.json.Encoder()


def stored(value: Any, *, max_string: int = 8_192, max_total: int = 65_536) -> Any:
    """A JSON value that may be stored. What is that already is returned as it is.

    Arguments of a secret's name become `[redacted:<name>]`, secrets within text `[redacted:secret]`. No
    string is over `max_string` characters, the JSON not over `max_total` bytes and MAX_DEPTH levels; what is
    cut says how much it was and its SHA-256 (first 16 hex). Both limits are at least 128.
    """
    try:
        texts: list[str] = []
        if _is_bounded(value, max_string, MAX_DEPTH, [max_total], texts):
            is_short = len(_ENCODER.encode(value)) <= max_total
            if is_short and not found("\n".join(texts), ("secret",)):
                return value
    except UnicodeEncodeError:
        pass  # lone surrogates
    made = _Copy(max_string, max_total * 2).of(value)
    if len(_ENCODER.encode(made)) > max_total:
        made = _Copy(max_string, max_total * 3 // 4).of(made)
    raw = _ENCODER.encode(made)
    return made if len(raw) <= max_total else _note(raw)


def _is_bounded(value: Any, max_string: int, depth: int, room: list[int], texts: list[str]) -> bool:
    """True for plain JSON within the limits, without a secret's name. Gathers what has to be looked into."""
    kind = type(value)
    if kind is str:
        texts.append(value)
        return len(value) <= max_string
    if kind is int:
        return bool(-MAX_INTEGER < value < MAX_INTEGER)
    if kind is bool or value is None:
        return True
    if kind is float:
        return math.isfinite(value)
    if (kind is not dict and kind is not list) or depth == 0:
        return False
    room[0] -= len(value)
    if room[0] < 0:
        return False
    if kind is list:
        return all(_is_bounded(item, max_string, depth - 1, room, texts) for item in value)
    for key, item in value.items():
        if type(key) is not str or len(key) > MAX_KEY:
            return False
        if (name := secret_name(key)) and not (type(item) is str and item == f"[redacted:{name}]"):
            return False
        texts.append(key)
        if not _is_bounded(item, max_string, depth - 1, room, texts):
            return False
    return True


class _Copy:
    """A JSON copy of any value. `left` is how many bytes of JSON it may still take."""

    def __init__(self, max_string: int, left: int) -> None:
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
        clean = clean_text(text)
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
