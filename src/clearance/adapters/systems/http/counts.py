"""Asking the API itself how many records a condition matches: the same condition, at its count endpoint."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from clearance.adapters.systems.http.client import Client

_NAMES: Final = ("count", "total", "total_count")


def counted(client: Client, endpoint: str, conditions: dict[str, Any]) -> int | None:
    """None where the condition does not fit into the question, or the answer is no count."""
    method, _, path = endpoint.partition(" ")
    if method == "POST":
        body = json.dumps(conditions).encode()
        reply = client.send("POST", path, body=body, headers={"Content-Type": "application/json"})
    else:
        query = _query(conditions)
        if query is None:
            return None
        reply = client.send("GET", f"{path}?{query}")
    return _number(reply.body) if reply.status == 200 else None


def _query(conditions: dict[str, Any]) -> str | None:
    """A single text or number as itself, an object of them as its fields; anything deeper has no one form."""
    pairs: list[tuple[str, str]] = []
    for name, value in conditions.items():
        for key, each in value.items() if isinstance(value, dict) else [(name, value)]:
            if isinstance(each, bool) or not isinstance(each, str | int | float):
                return None
            pairs.append((key, str(each)))
    return urlencode(pairs)


def _number(body: bytes) -> int | None:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(read, dict):
        found = [read[name] for name in _NAMES if name in read]
        read = found[0] if len(found) == 1 else None
    return read if isinstance(read, int) and not isinstance(read, bool) and read >= 0 else None
