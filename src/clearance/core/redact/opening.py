"""Any Python value, one level nearer to JSON. Calls what a value offers for that, and survives it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from enum import Enum
from operator import is_
from typing import Any

import msgspec

MAX_DEPTH = 64
MAX_INTEGER = 2**63  # what JSON readers and stores carry
_BOTTOM = 200
_MAX_DIGITS_BITS = 4_096  # a longer integer takes quadratic time to write out


def opened(value: Any) -> Any:
    """One level nearer to JSON: a scalar, a string, a dict or a list. Never raises."""
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is dict or kind is list:
        return value
    try:
        return _of_object(value)
    except Exception:  # foreign code: anything may come out of another class's methods
        return f"<{kind.__name__}>"


def opened_whole(value: Any) -> Any:
    """All of it as JSON values; the same object where it is that already. ValueError: it has no bottom."""
    return _whole(value, 0)


def _whole(value: Any, depth: int) -> Any:
    if depth > _BOTTOM:
        raise ValueError("nested too deep, or within itself")
    view = opened(value)
    if isinstance(view, list):
        made = [_whole(item, depth + 1) for item in view]
        return value if view is value and all(map(is_, made, view)) else made
    if isinstance(view, dict):
        fields = {
            key if type(key) is str else str(key): _whole(item, depth + 1) for key, item in view.items()
        }
        kept = view is value and all(fields.get(key, _NONE) is item for key, item in view.items())
        return value if kept else fields
    return view


_NONE = object()


def _of_object(value: Any) -> Any:
    match value:
        case Enum():
            return opened(value.value)
        case str():
            return str.__str__(value)
        case int():
            return _of_integer(int(value))
        case float():
            return float(value) if math.isfinite(value) else str(float(value))
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return f"<{type(value).__name__}> {bytes(value).decode('utf-8', 'replace')}"
        case Mapping():
            return dict(value)
        case list() | tuple() | set() | frozenset():
            return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
        dumped = dump()
        return dumped if type(dumped) is dict else f"<{type(value).__name__}>"
    return f"<{type(value).__name__}> {value!s}"


def _of_integer(value: int) -> int | str:
    if abs(value) < MAX_INTEGER:
        return value
    bits = value.bit_length()
    return f"<int> {value}" if bits <= _MAX_DIGITS_BITS else f"<int of {bits} bits>"
