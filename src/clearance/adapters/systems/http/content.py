"""What two bodies have to share to be the same record. Numbers keep their digits, a repeated name counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any


def digest(body: bytes, content_type: str, *, ignore: Sequence[str]) -> str:
    """Of JSON, neither order of names nor white space counts, nor the fields to ignore; else every byte."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            read = json.loads(
                body,
                object_pairs_hook=_Fields,
                parse_int=_Number,
                parse_float=_Number,
                parse_constant=_Number,
            )
        except (ValueError, RecursionError):
            pass
        else:
            paths = [tuple(field.split(".")) for field in ignore]
            return hashlib.sha256(
                f"json {_plain(read, paths)!r}".encode("utf-8", "surrogatepass")
            ).hexdigest()
    return hashlib.sha256(kind.encode() + b"\n" + body).hexdigest()


class _Fields(list[tuple[str, Any]]):
    """An object, as it was written."""


class _Number(str):
    """A number, as it was written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _plain(value: Any, ignore: Sequence[tuple[str, ...]]) -> Any:
    """A value whose `repr` says all that counts."""
    if isinstance(value, _Fields):
        kept = [(name, each) for name, each in value if (name,) not in ignore]
        fields = [
            (name, _plain(each, [p[1:] for p in ignore if len(p) > 1 and p[0] == name]))
            for name, each in kept
        ]
        return {"object": sorted(fields, key=lambda field: field[0])}
    if isinstance(value, list):
        return [_plain(each, ignore) for each in value]
    return value
