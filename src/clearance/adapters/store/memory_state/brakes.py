"""Stops and broken glass."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from clearance.adapters.store.memory_state.counted import Counted
from clearance.core.model import BreakGlass, Stop, StopKind
from clearance.core.policy.posture import tightened
from clearance.errors import ConflictError, NotFoundError


class MemoryBrakes(Counted):
    """BrakeStore."""

    def __init__(self) -> None:
        super().__init__()
        self._stops: dict[tuple[StopKind, str], Stop] = {}
        self._glasses: dict[str, BreakGlass] = {}

    def stops(self) -> list[Stop]:
        with self._lock:
            return [self._stops[key] for key in sorted(self._stops)]

    def set_stop(self, stop: Stop) -> None:
        with self._lock:
            self._stops[stop.kind, stop.name] = stop
            self._revision += 1

    def tighten_stop(self, stop: Stop) -> Stop | None:
        with self._lock:
            stricter = tightened(self._stops.get((stop.kind, stop.name)), stop)
            if stricter is not None:
                self.set_stop(stricter)
            return stricter

    def lift_stop(self, kind: StopKind, name: str) -> Stop:
        with self._lock:
            if (kind, name) not in self._stops:
                raise NotFoundError("There is no such stop.")
            self._revision += 1
            return self._stops.pop((kind, name))

    def glasses(self, *, open_at: datetime | None = None) -> list[BreakGlass]:
        with self._lock:
            found = [one for one in self._glasses.values() if open_at is None or _is_open(one, open_at)]
        return sorted(found, key=lambda glass: (glass.at, glass.glass_id), reverse=True)

    def add_glass(self, glass: BreakGlass) -> None:
        with self._lock:
            if glass.glass_id in self._glasses:
                raise ConflictError("An emergency access of this id exists already.")
            self._glasses[glass.glass_id] = glass
            self._revision += 1

    def end_glass(self, glass_id: str, at: datetime) -> BreakGlass:
        with self._lock:
            glass = self._glasses.get(glass_id)
            if glass is None:
                raise NotFoundError("There is no emergency access of this id.")
            if glass.ended_at is None:
                self._glasses[glass_id] = replace(glass, ended_at=at)
                self._revision += 1
            return self._glasses[glass_id]


def _is_open(glass: BreakGlass, at: datetime) -> bool:
    return at < (glass.until if glass.ended_at is None else min(glass.until, glass.ended_at))
