"""Notices on their way."""

from __future__ import annotations

from datetime import datetime

from clearance.adapters.store.memory_state.counted import Counted
from clearance.ports import Notice


class MemoryOutbox(Counted):
    """Outbox."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[tuple[str, str], tuple[Notice, int, datetime | None]] = {}

    def add_notice(self, notice: Notice, *, to: str) -> None:
        with self._lock:
            self._waiting.setdefault((notice.notice_id, to), (notice, 0, notice.at))

    def claim_notices(
        self, at: datetime, *, until: datetime, limit: int = 100
    ) -> list[tuple[str, int, Notice]]:
        with self._lock:
            found = [
                (again, to, attempts, notice)
                for (_, to), (notice, attempts, again) in self._waiting.items()
                if again is not None and again <= at
            ]
            found.sort(key=lambda one: (one[0], one[3].notice_id, one[1]))
            claimed = [(to, attempts, notice) for _, to, attempts, notice in found[: max(limit, 0)]]
            for to, attempts, notice in claimed:
                self._waiting[notice.notice_id, to] = (notice, attempts, until)
            return claimed

    def notice_sent(self, notice_id: str, *, to: str) -> None:
        with self._lock:
            self._waiting.pop((notice_id, to), None)

    def notice_failed(self, notice_id: str, *, to: str, again_at: datetime | None) -> None:
        with self._lock:
            if (notice_id, to) in self._waiting:
                notice, attempts, _ = self._waiting[notice_id, to]
                self._waiting[notice_id, to] = (notice, attempts + 1, again_at)
