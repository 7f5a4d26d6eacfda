"""The administrative record: what people do to agents, policies, people and the brake, in the journal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from clearance.core import drafts
from clearance.core.drafts import ADMINISTRATION_RUN, AdministrationBody, ApprovalBody
from clearance.core.model import Record, RecordKind
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


_MOST_ANSWERS = 100_000  # answers read to find those of one person: they stand under the agent's name
_ANSWERED = "hold."


class Act(Struct, frozen=True, kw_only=True):
    """One administrative act, or one answer to a hold (`hold.approve`, `hold.deny`)."""

    at: datetime
    by: str
    act: str
    target: str
    details: dict[str, Any]
    run_id: str
    seq: int


def acts(
    journal: Journal,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    by: str = "",
    act: str = "",
    limit: int = 50,
) -> list[Act]:
    """What people did, newest first; empty filters take all. Raises StoreError."""
    found: list[Act] = []
    if not act.startswith(_ANSWERED):
        kind = RecordKind.ADMINISTRATION.value
        query = RecordQuery(kind=kind, agent=by, tool=act, since=since, until=until, limit=limit)
        found += map(_administrative, journal.search(query))
    if not act or act.startswith(_ANSWERED):
        many = _MOST_ANSWERS if by or act else limit
        query = RecordQuery(kind=RecordKind.APPROVAL.value, since=since, until=until, limit=many)
        answers = [_answer(record) for record in journal.search(query)]
        found += [one for one in answers if one is not None and by in ("", one.by) and act in ("", one.act)]
    return sorted(found, key=lambda one: (one.at, one.run_id, one.seq), reverse=True)[:limit]


def _administrative(record: Record) -> Act:
    body = record.decoded_as(AdministrationBody)
    return Act(
        at=record.at,
        by=body.by,
        act=body.act,
        target=body.target,
        details=body.details,
        run_id=record.run_id,
        seq=record.seq,
    )


def _answer(record: Record) -> Act | None:
    """None for a hold that closed without anybody's word."""
    body = record.decoded_as(ApprovalBody)
    if body.answer is None:
        return None
    details = {"agent": record.agent, "tool": record.tool, "status": body.status.value}
    more = {"reason": body.answer.reason, "grant_id": body.answer.grant_id}
    return Act(
        at=record.at,
        by=body.answer.by,
        act=f"{_ANSWERED}{body.answer.kind.value}",
        target=body.hold_id,
        details={**details, **{key: value for key, value in more.items() if value}},
        run_id=record.run_id,
        seq=record.seq,
    )
