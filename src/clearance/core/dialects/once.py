"""JSON of which every reader reads the same: no member is named twice. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from clearance.errors import RequestError

_ENCODER = msgspec.json.Encoder()


def named_once(raw: bytes, value: Any) -> None:
    """Raises RequestError, RecursionError. `value` is what was read of `raw`, nothing left out.

    Which of two members of one name somebody takes cannot be told. Cheap: `raw` is only looked into when it
    has more colons than its value written back, or writes some of them with escapes.
    """
    written = _ENCODER.encode(value)
    if written == raw:  # as most clients write it
        return
    if b"\\u003" in raw or raw.count(b":") > written.count(b":"):
        json.loads(raw, object_pairs_hook=_once, parse_int=str, parse_float=str)


def _once(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise RequestError("A member is named twice.", reason="duplicate_member")
