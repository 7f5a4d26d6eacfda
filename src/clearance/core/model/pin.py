"""What a tool server's tool was when it was accepted, and what it is said to be since."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class PinState(StrEnum):
    """Whether calls of a tool go through: of an ACCEPTED one only."""

    ACCEPTED = "accepted"
    WAITING = "waiting"  # seen, and never accepted
    CHANGED = "changed"  # accepted, and another one since


class ToolPin(Struct, frozen=True, kw_only=True):
    """`accepted` and `seen` are SHA-256 of definitions; `seen` is empty while nothing waits for a person.

    The definitions themselves are kept as JSON, so that a person sees what changed.
    """

    server: str
    tool: str
    since: datetime
    accepted: str = ""
    accepted_by: str = ""
    definition: str = ""
    seen: str = ""
    seen_at: datetime | None = None
    seen_definition: str = ""

    @property
    def state(self) -> PinState:
        if not self.seen:
            return PinState.ACCEPTED
        return PinState.CHANGED if self.accepted else PinState.WAITING
