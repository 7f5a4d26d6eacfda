"""What a run's records add up to: its head and its summary, one record further each time. Pure.

Every journal and every verification uses these two functions, so that a listing means the same everywhere.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from clearance.adapters.store.intake import Told
from clearance.core.model import Record, RecordKind
from clearance.ports import RunSummary


class RunState(Struct, frozen=True, kw_only=True):
    """A run after its record `seq`, whose hash is `hash`. As `seq` has no gaps it also counts the records."""

    run_id: str
    agent: str
    goal: str
    started_at: datetime
    last_at: datetime
    seq: int
    hash: str
    actions: int
    refused: int
    alerts: int
    ended: bool

    def summary(self) -> RunSummary:
        return RunSummary(
            run_id=self.run_id,
            agent=self.agent,
            goal=self.goal,
            status="ended" if self.ended else "running",
            started_at=self.started_at,
            last_at=self.last_at,
            records=self.seq,
            actions=self.actions,
            refused=self.refused,
            alerts=self.alerts,
        )


def followed(before: RunState | None, record: Record, told: Told, *, new_actions: int) -> RunState:
    """The run with `record` added. `before` is None where nothing but the record is known of it."""
    if before is None:
        before = _unknown(record)
    return RunState(
        run_id=before.run_id,
        agent=before.agent,
        goal=before.goal or told.goal,
        started_at=before.started_at,
        last_at=max(before.last_at, record.at),
        seq=record.seq,
        hash=record.hash,
        actions=before.actions + new_actions,
        refused=before.refused + (record.kind is RecordKind.REFUSAL),
        alerts=before.alerts + told.alerts,
        ended=before.ended or record.kind is RecordKind.RUN_ENDED,
    )


def _unknown(record: Record) -> RunState:
    return RunState(
        run_id=record.run_id,
        agent=record.agent,
        goal="",
        started_at=record.at,
        last_at=record.at,
        seq=record.seq - 1,
        hash=record.prev_hash,
        actions=0,
        refused=0,
        alerts=0,
        ended=False,
    )


def stands(kind: RecordKind, opened: RecordKind | None) -> tuple[RecordKind | None, int]:
    """Where an action stands after a record of `kind`, and how many actions the record adds to its run.

    An open action is held (HOLD) or running (INTENT). One that is open was counted when it opened.
    """
    new = int(opened is None)
    match kind:
        case RecordKind.HOLD:
            return opened or RecordKind.HOLD, new
        case RecordKind.INTENT:
            return RecordKind.INTENT, new
        case RecordKind.REFUSAL:
            return None, new  # also after an intent: a refusal never ran, so nothing is left to report
        case RecordKind.OUTCOME:
            return None, 0
        case _:
            return opened, 0
