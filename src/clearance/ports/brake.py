"""Where stops and broken glass are kept, for every process on one store."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from clearance.core.model import BreakGlass, Stop, StopKind


class BrakeStore(Protocol):
    """The brakes that are on. All of them are read whenever one changed: there are few."""

    def revision(self) -> int:
        """Grows with every change, by any process. Cheap: asked before every decision and every execution."""

    def stops(self) -> list[Stop]:
        """Those that were set and not lifted, ended ones included until the next change."""

    def set_stop(self, stop: Stop) -> None:
        """In the place of the one of the same kind and name."""

    def tighten_stop(self, stop: Stop) -> Stop | None:
        """Set it, never milder and never shorter than what holds at `stop.at` (`posture.tightened`).

        What is on from now; None: it was as strict. Atomic: nothing is set in between, by any process.
        """

    def lift_stop(self, kind: StopKind, name: str) -> Stop:
        """Take it away; what it was. Raises NotFoundError."""

    def glasses(self, *, open_at: datetime | None = None) -> list[BreakGlass]:
        """Newest first; with `open_at` only those that hold then."""

    def add_glass(self, glass: BreakGlass) -> None: ...

    def end_glass(self, glass_id: str, at: datetime) -> BreakGlass:
        """Before its time. Raises NotFoundError. Ending twice keeps the first time."""
