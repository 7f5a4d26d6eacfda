"""JSON of which every reader reads the same: no member is named twice. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from clearance.errors import RequestError

_ENCODER = msgspec.json.Encoder()


def named_once(raw: bytes, value: Any) -> bytes:
    """`value` as we write it. Raises RequestError, RecursionError. It was read of `raw`, nothing left out.

    Which of two members of one name somebody takes cannot be told. Cheap: `raw` is only looked into when it
    has more colons than its value written back, or writes some of them with escapes.
    """
    written = _ENCODER.encode(value)
    # Most clients write it as we do.
    if written != raw and (b"\\u003" in raw or raw.count(b":") > written.count(b":")):
        json.loads(raw, object_pairs_hook=_once, parse_int=str, parse_float=str)
    return written


def _once(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise RequestError("A member is named twice.", reason="duplicate_member")
