"""What the world answered. Past tense; each says when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from clearance.core.model import Fact, Finding, Operation, OutcomeStatus, Radius, Resource, Saved


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
    """One person said yes."""

    at: datetime
    by: str


class Refused(Struct, frozen=True, kw_only=True):
    """One person said no; one no is enough."""

    at: datetime
    by: str


class Expired(Struct, frozen=True, kw_only=True):
    """Nobody answered in time, which is a no."""

    at: datetime


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
    | Unavailable
    | SnapshotTaken
    | SnapshotFailed
    | Executed
    | ReportLost
    | Cancelled
)
