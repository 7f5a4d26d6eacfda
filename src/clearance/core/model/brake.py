"""The brake: who or what is stopped, and the emergency key that opens what policies refuse."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class StopKind(StrEnum):
    """What a stop holds for. For an agent it also holds for whoever acts on that agent's behalf."""

    AGENT = "agent"
    TEAM = "team"
    TOOL = "tool"
    ALL = "all"


class StopLevel(StrEnum):
    """HELD: every action needs a person's yes. PAUSED: none runs. QUARANTINED: none runs, and what was
    approved, granted or delegated before is void. Mildest first.
    """

    HELD = "held"
    PAUSED = "paused"
    QUARANTINED = "quarantined"


class Stop(Struct, frozen=True, kw_only=True):
    """One brake that is on. One for each (kind, name): a new one takes its place. `name` is empty for ALL."""

    kind: StopKind
    name: str
    level: StopLevel
    reason: str
    by: str
    at: datetime
    until: datetime | None = None
    policy: str = ""  # the circuit breaker that set it; empty for a person


class BreakGlass(Struct, frozen=True, kw_only=True):
    """Emergency access: for its time, policies do not refuse this agent with these tools. Brakes still do.

    `tools` are patterns with `*`. Every action under it is told to somebody.
    """

    glass_id: str
    agent: str
    tools: tuple[str, ...]
    reason: str
    by: str
    at: datetime
    until: datetime
    ended_at: datetime | None = None
