"""Looked-up attributes of an action, each with its source and age; absent or None means: cannot be known."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

FactValue = bool | int | float | str | None


class Fact(Struct, frozen=True, kw_only=True):
    """One attribute: `record_count`, `recipient_count`, `payload_bytes`, `amount` …

    `source` says who vouches for it: `caller` (declared by the calling program), `arguments` (derived from
    the call itself), `declared` (the tool's declaration in the policy file), `counted` (on the real system).
    """

    value: FactValue
    source: str
    at: datetime | None = None


Facts = dict[str, Fact]
