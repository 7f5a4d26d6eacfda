"""Where new ids come from: sortable by time, unguessable in the rest."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

NewId = Callable[[str], str]


def new_id(kind: str) -> str:
    """`run_019a…` : 12 hex digits of milliseconds since 1970, then 80 random bits."""
    return f"{kind}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
