"""Which values are JSON and nothing else: what is written of them is all that there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

_MOST = 16_777_216  # bytes; what is larger is not looked at as a whole
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_NOT_JSON = (TypeError, ValueError, OverflowError, RecursionError)


def written(value: Mapping[str, Any]) -> bytes:
    """The JSON of a value that is JSON and nothing else; empty for any other, and for one that is huge."""
    try:
        raw = _ENCODER.encode(value)
        return raw if len(raw) <= _MOST and _DECODER.decode(raw) == value else b""
    except _NOT_JSON:
        return b""
