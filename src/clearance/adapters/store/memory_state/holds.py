"""Stored mediations that wait for a person."""

from __future__ import annotations

from datetime import datetime

from clearance.adapters.store.memory_state.counted import Counted
from clearance.core.model import Hold
from clearance.errors import ConflictError
from clearance.ports import HoldQuery


class MemoryHolds(Counted):
    """HoldStore."""

    def __init__(self) -> None:
        super().__init__()
        self._holds: dict[str, Hold] = {}
        self._open: dict[
            tuple[str, str, str], dict[str, Hold]
        ] = {}  # by call, so that none of the others is seen

    def add_hold(self, hold: Hold) -> None:
        with self._lock:
            if hold.hold_id in self._holds:
                raise ConflictError("A hold of this id exists already.")
            self._put(hold)

    def hold(self, hold_id: str) -> Hold | None:
        return self._holds.get(hold_id)

    def holds(self, query: HoldQuery) -> list[Hold]:
        with self._lock:
            found = [
                hold
                for hold in self._holds.values()
                if query.status in (None, hold.status)
                and query.agent in ("", hold.agent)
                and query.run_id in ("", hold.run_id)
                and (query.before is None or hold.created_at < query.before)
            ]
        found.sort(key=lambda hold: (hold.created_at, hold.hold_id), reverse=True)
        return found[: max(query.limit, 0)]

    def open_hold(self, agent: str, run_id: str, call_hash: str) -> Hold | None:
        with self._lock:
            found = self._open.get((agent, run_id, call_hash), {}).values()
            return max(found, key=lambda hold: (hold.created_at, hold.hold_id), default=None)

    def overdue_holds(self, at: datetime, *, limit: int = 200) -> list[Hold]:
        with self._lock:
            waiting = (hold for same in self._open.values() for hold in same.values())
            found = [hold for hold in waiting if hold.expires_at <= at]
        return sorted(found, key=lambda hold: (hold.expires_at, hold.hold_id))[: max(limit, 0)]

    def swap_hold(self, hold: Hold) -> bool:
        with self._lock:
            stored = self._holds.get(hold.hold_id)
            if stored is None or stored.version != hold.version - 1:
                return False
            self._put(hold)
            return True

    def _put(self, hold: Hold) -> None:
        before = self._holds.get(hold.hold_id)
        if before is not None and before.is_open:
            same = self._open[_call(before)]
            del same[hold.hold_id]
            if not same:
                del self._open[_call(before)]
        self._holds[hold.hold_id] = hold
        if hold.is_open:
            self._open.setdefault(_call(hold), {})[hold.hold_id] = hold
        self._revision += 1


def _call(hold: Hold) -> tuple[str, str, str]:
    return hold.agent, hold.run_id, hold.call_hash
