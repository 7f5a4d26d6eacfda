"""What the world answered. Past tense; each says when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from clearance.core.model import (
    Answer,
    Fact,
    Finding,
    Operation,
    OutcomeStatus,
    Radius,
    Reason,
    Resource,
    Saved,
)


class Gathered(Struct, frozen=True, kw_only=True):
    """Everything that could be looked up. What is missing is not known, and matches every limit."""

    at: datetime
    facts: dict[str, Fact] = {}
    findings: tuple[Finding, ...] = ()


class GatherFailed(Struct, frozen=True, kw_only=True):
    """Nothing could be looked up, so nothing can be decided."""

    at: datetime


class Counted(Struct, frozen=True, kw_only=True):
    """What the real systems told. `operation` None and no `resources` mean: as the call said."""

    at: datetime
    radii: tuple[Radius, ...]
    operation: Operation | None = None
    resources: tuple[Resource, ...] = ()


class CountFailed(Struct, frozen=True, kw_only=True):
    """A real system could not be asked, so what would be touched is not known."""

    at: datetime


class Written(Struct, frozen=True, kw_only=True):
    """The record is as durable as it was asked to be."""

    at: datetime


class WriteFailed(Struct, frozen=True, kw_only=True):
    """The record is not stored."""

    at: datetime


class Approved(Struct, frozen=True, kw_only=True):
    """Everybody who has to say yes has; `shown` is the radius that they saw, `by` whose yes and for what.

    The yes is used up: nobody else will be told of it.
    """

    at: datetime
    by: tuple[Answer, ...]
    shown: tuple[Radius, ...] = ()


class Refused(Struct, frozen=True, kw_only=True):
    """One person said no; one no is enough."""

    at: datetime
    by: str


class Expired(Struct, frozen=True, kw_only=True):
    """Nobody answered in time, which is a no."""

    at: datetime


class Stale(Struct, frozen=True, kw_only=True):
    """There is a yes, but not for this: policies, target or call are not what was shown."""

    at: datetime


class Spent(Struct, frozen=True, kw_only=True):
    """There was a yes, and it was used: an approval is good for one execution."""

    at: datetime


class Parked(Struct, frozen=True, kw_only=True):
    """Nobody has answered yet. The mediation is stored as this hold; asking again takes it up."""

    at: datetime
    hold_id: str
    expires_at: datetime


class Braked(Struct, frozen=True, kw_only=True):
    """Somebody stopped this agent, its team, the tool or everything after the action was decided."""

    at: datetime
    reason: Reason


class Unavailable(Struct, frozen=True, kw_only=True):
    """Nobody is there to ask, or nothing that could save the state."""

    at: datetime


class SnapshotTaken(Struct, frozen=True, kw_only=True):
    """The state is saved under this id."""

    at: datetime
    snapshot_id: str
    saved: tuple[Saved, ...] = ()


class SnapshotFailed(Struct, frozen=True, kw_only=True):
    """The state could not be saved."""

    at: datetime


class Executed(Struct, frozen=True, kw_only=True):
    """The action ran, and whoever ran it says how it ended."""

    at: datetime
    status: OutcomeStatus
    result: Any = None
    error: str = ""


class ReportLost(Struct, frozen=True, kw_only=True):
    """The action may have run; nobody told how it ended."""

    at: datetime


class Cancelled(Struct, frozen=True, kw_only=True):
    """The caller went away."""

    at: datetime


Event = (
    Gathered
    | GatherFailed
    | Counted
    | CountFailed
    | Written
    | WriteFailed
    | Approved
    | Refused
    | Expired
    | Stale
    | Spent
    | Parked
    | Braked
    | Unavailable
    | SnapshotTaken
    | SnapshotFailed
    | Executed
    | ReportLost
    | Cancelled
)
