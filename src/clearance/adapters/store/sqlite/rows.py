"""Records and run states as rows of a segment, and back.

Times are whole microseconds since 1970 in UTC; hashes are bytes.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from clearance.adapters.store.run_state import RunState
from clearance.core.model import Record, RecordKind
from clearance.errors import IntegrityError

Row = tuple[Any, ...]  # as SQLite gave it: a file that was tampered with holds anything

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: Final[dict[Any, RecordKind]] = {kind.value: kind for kind in RecordKind}
_FLAGS: Final[dict[Any, bool]] = {0: False, 1: True}
_UNREADABLE: Final = (AttributeError, KeyError, OverflowError, TypeError, ValueError)

INSERT_RECORD: Final = "INSERT INTO records"
SELECT_RECORDS: Final = (
    "SELECT position, run_id, seq, kind, at, agent, node, action_id, tool, operation, effect, status,"
    " body, prev_hash, hash, chain FROM records "
)
SELECT_RUNS: Final = (
    "SELECT run_id, agent, goal, started_at, last_at, seq, hash, actions, refused, alerts, ended FROM runs "
)
INSERT_RUN: Final = "INSERT INTO runs"
OR_UPDATE_RUN: Final = """
ON CONFLICT (run_id) DO UPDATE SET
    goal = excluded.goal, last_at = excluded.last_at, seq = excluded.seq, hash = excluded.hash,
    actions = excluded.actions, refused = excluded.refused, alerts = excluded.alerts,
    ended = excluded.ended"""


def micros(at: datetime) -> int:
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def kind_of(value: object) -> RecordKind:
    """Raises IntegrityError for a kind no journal writes."""
    kind = _KINDS.get(value)
    if kind is None:
        raise IntegrityError("The journal names a kind of record that does not exist.")
    return kind


def record_row(record: Record) -> Row:
    return (
        record.position,
        record.run_id,
        record.seq,
        record.kind.value,
        micros(record.at),
        record.agent,
        record.node,
        record.action_id,
        record.tool,
        record.operation,
        record.effect,
        record.status,
        bytes(record.body).decode(),
        bytes.fromhex(record.prev_hash),
        bytes.fromhex(record.hash),
        bytes.fromhex(record.chain),
    )


def record_of(row: Row) -> Record:
    """Raises IntegrityError where a value cannot have been written by a journal."""
    try:
        return Record(
            position=row[0],
            run_id=row[1],
            seq=row[2],
            kind=_KINDS[row[3]],
            at=moment(row[4]),
            agent=row[5],
            node=row[6],
            action_id=row[7],
            tool=row[8],
            operation=row[9],
            effect=row[10],
            status=row[11],
            body=msgspec.Raw(row[12].encode()),
            prev_hash=row[13].hex(),
            hash=row[14].hex(),
            chain=row[15].hex(),
        )
    except _UNREADABLE as error:
        raise IntegrityError(f"The record at position {row[0]!r} holds a value no journal writes.") from error


def run_row(state: RunState) -> Row:
    return (
        state.run_id,
        state.agent,
        state.goal,
        micros(state.started_at),
        micros(state.last_at),
        state.seq,
        bytes.fromhex(state.hash),
        state.actions,
        state.refused,
        state.alerts,
        int(state.ended),
    )


def run_of(row: Row) -> RunState:
    """Raises IntegrityError where a value cannot have been written by a journal."""
    try:
        return RunState(
            run_id=row[0],
            agent=row[1],
            goal=row[2],
            started_at=moment(row[3]),
            last_at=moment(row[4]),
            seq=row[5],
            hash=row[6].hex(),
            actions=row[7],
            refused=row[8],
            alerts=row[9],
            ended=_FLAGS[row[10]],
        )
    except _UNREADABLE as error:
        raise IntegrityError("A line of the list of runs holds a value no journal writes.") from error


def run_in(connection: sqlite3.Connection, run_id: str) -> RunState | None:
    """The state of a run after its last record in one segment; None where the segment has none of it."""
    row: Row | None = connection.execute(SELECT_RUNS + "WHERE run_id = ?", (run_id,)).fetchone()
    return run_of(row) if row else None
