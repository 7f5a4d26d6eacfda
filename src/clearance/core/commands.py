"""What the core asks of the world. Imperative; each is answered by one event."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clearance.core.model import Draft, Durability, Request


class Gather(Struct, frozen=True, kw_only=True):
    """Look up what can be known about the request. Answered by Gathered or GatherFailed."""

    request: Request


class Count(Struct, frozen=True, kw_only=True):
    """Count on the real systems what the request would touch. Answered by Counted or CountFailed."""

    request: Request


class Write(Struct, frozen=True, kw_only=True):
    """Make one record durable. Answered by Written or WriteFailed."""

    draft: Draft
    durability: Durability


class AskApproval(Struct, frozen=True, kw_only=True):
    """Have people say yes to what was decided, and hold no lock meanwhile.

    Answered by Approved, Refused, Expired, Stale, Parked or Unavailable.
    """

    request: Request


class TakeSnapshot(Struct, frozen=True, kw_only=True):
    """Save what the request touches. Answered by SnapshotTaken, SnapshotFailed or Unavailable."""

    request: Request


class Execute(Struct, frozen=True, kw_only=True):
    """Run the action, now and once, with these arguments. Answered by Executed or ReportLost."""

    request: Request
    arguments: dict[str, Any]


class Finish(Struct, frozen=True, kw_only=True):
    """Nothing more will come of this action. Not answered."""


Command = Gather | Count | Write | AskApproval | TakeSnapshot | Execute | Finish
