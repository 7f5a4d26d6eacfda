"""The administrative record: what people do to agents, policies, people and the brake, in the journal."""

from __future__ import annotations

from typing import Any

from clearance.core import drafts
from clearance.core.drafts import ADMINISTRATION_RUN
from clearance.ports import Journal, RecordQuery
from clearance.runtime.mediator import Clock


class Audit:
    """Thread-safe. An act is durable here before it takes effect, so that none is done unrecorded."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._is_begun = False

    def record(self, act: str, *, by: str, target: str = "", details: dict[str, Any] | None = None) -> None:
        """`act` is a noun and a verb (`agent.retire`); `details` name no secret. Raises StoreError."""
        at = self._clock()
        written = [drafts.administration(act, by=by, target=target, at=at, details=details or {})]
        if not self._begun():
            start = drafts.run_started(ADMINISTRATION_RUN, agent=by, goal="Administrative acts", at=at)
            written.insert(0, start)
        self._journal.append(written)
        self._is_begun = True

    def _begun(self) -> bool:
        if not self._is_begun:
            self._is_begun = bool(self._journal.search(RecordQuery(run_id=ADMINISTRATION_RUN, limit=1)))
        return self._is_begun
