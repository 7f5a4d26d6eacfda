"""What is asked of the journal, over all its segments, newest first. Only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from clearance.adapters.store.run_state import RunState
from clearance.adapters.store.sqlite.readers import Readers
from clearance.adapters.store.sqlite.rows import SELECT_RECORDS, SELECT_RUNS, micros, record_of, run_of
from clearance.adapters.store.sqlite.segments import Segments, end_of
from clearance.core.drafts import ADMINISTRATION_RUN
from clearance.core.model import Record, RecordKind
from clearance.ports import RecordQuery, RunQuery, RunSummary

TEXT_SCANNED: Final = 200_000  # bodies one search of text may read: about half a second where they are warm

_FILTERS: Final = ("run_id", "agent", "tool", "operation", "effect", "kind", "status")
_OF_RUN: Final = SELECT_RECORDS + "WHERE run_id = ? ORDER BY seq"
_OF_ACTION: Final = SELECT_RECORDS + "WHERE action_id = ? AND action_id <> '' ORDER BY position"
_AT_POSITION: Final = SELECT_RECORDS + "WHERE position = ?"
_NEWEST: Final = " ORDER BY at DESC, position DESC LIMIT ?"
_WITH_TEXT: Final = " WHERE ? = '' OR body LIKE ? ESCAPE '\\' LIMIT ?"


class Queries:
    """Every question reads each segment in one state."""

    def __init__(self, segments: Segments, readers: Readers) -> None:
        self._segments = segments
        self._readers = readers

    def run(self, run_id: str) -> list[Record]:
        found: list[Record] = []
        for name in self._newest_first():
            with self._readers.reading(name) as reading:
                found = _records(reading, _OF_RUN, run_id) + found
            if found and found[0].seq == 1:
                break
        return found

    def action(self, action_id: str) -> list[Record]:
        """Looks back to where the run of the action begins: nothing of it can be older."""
        found: list[Record] = []
        for name in self._newest_first():
            with self._readers.reading(name) as reading:
                found = _records(reading, _OF_ACTION, action_id) + found
                if found and _begins(reading, found[0].run_id):
                    break
        return found

    def runs(self, query: RunQuery) -> list[RunSummary]:
        """A run of several segments is told by the newest, whose line carries on the earlier ones."""
        clauses: dict[str, Any] = {"run_id <> ?": ADMINISTRATION_RUN}
        if query.agent:
            clauses["agent = ?"] = query.agent
        if query.before is not None:
            clauses["started_at < ?"] = micros(query.before)
        select = f"{SELECT_RUNS}{_where(clauses)} ORDER BY started_at DESC, run_id DESC LIMIT ?"
        limit = max(query.limit, 0)
        newest: list[RunState] = []
        for name in self._newest_first():
            if _suffices([state.started_at for state in newest], limit, name):
                break
            with self._readers.reading(name) as reading:
                states = [run_of(row) for row in reading.execute(select, (*clauses.values(), limit))]
            known = {state.run_id for state in newest}
            newest += [state for state in states if state.run_id not in known]
            newest.sort(key=lambda state: (state.started_at, state.run_id), reverse=True)
            del newest[limit:]
        return [state.summary() for state in newest]

    def search(self, query: RecordQuery) -> list[Record]:
        """Text is sought in at most `TEXT_SCANNED` of the newest records that match everything else."""
        where, values = _filters(query)
        limit = max(query.limit, 0)
        candidates = TEXT_SCANNED if query.text else limit
        found: list[Record] = []
        for name in self._newest_first():
            if query.since is not None and end_of(name) <= query.since:
                break
            if candidates <= 0 or _suffices([record.at for record in found], limit, name):
                break
            select = f"SELECT * FROM ({SELECT_RECORDS}{where}{_NEWEST}){_WITH_TEXT}"  # noqa: S608 - constants
            asked = (*values, candidates, query.text, _pattern(query.text), limit)
            with self._readers.reading(name) as reading:
                found += _records(reading, select, *asked)
                if query.text:
                    candidates -= _count(reading, where, values, candidates)
            found.sort(key=lambda record: (record.at, record.position), reverse=True)
            del found[limit:]
        return found

    def in_flight(self, limit: int) -> list[Record]:
        """The newest segment knows every open action; its intent may be in an older one."""
        found: list[Record] = []
        sought: set[int] | None = None
        for name in self._newest_first():
            with self._readers.reading(name) as reading:
                sought = _open_intents(reading, limit) if sought is None else sought
                rows = [record for place in sought for record in _records(reading, _AT_POSITION, place)]
            found += rows
            sought -= {record.position for record in rows}
            if not sought:
                break
        return sorted(found, key=lambda record: record.position)

    def _newest_first(self) -> list[str]:
        return self._segments.names()[::-1]


def _records(reading: sqlite3.Connection, select: str, *values: object) -> list[Record]:
    return [record_of(row) for row in reading.execute(select, values)]


def _begins(reading: sqlite3.Connection, run_id: str) -> bool:
    row = reading.execute("SELECT 1 FROM records WHERE run_id = ? AND seq = 1", (run_id,)).fetchone()
    return row is not None


def _open_intents(reading: sqlite3.Connection, limit: int) -> set[int]:
    """In the order of the table's key, so that a limit stops the reading early."""
    select = "SELECT position FROM open_actions WHERE kind = ? ORDER BY action_id, run_id LIMIT ?"
    return {row[0] for row in reading.execute(select, (RecordKind.INTENT.value, limit or -1))}


def _suffices(found: Sequence[datetime], limit: int, name: str) -> bool:
    """Whether nothing in this segment, or an older one, can be newer than what was found."""
    return len(found) >= limit and (limit == 0 or found[limit - 1] >= end_of(name))


def _filters(query: RecordQuery) -> tuple[str, list[Any]]:
    clauses: dict[str, Any] = {
        f"{column} = ?": value for column in _FILTERS if (value := getattr(query, column))
    }
    if query.since is not None:
        clauses["at >= ?"] = micros(query.since)
    if query.until is not None:
        clauses["at < ?"] = micros(query.until)
    return _where(clauses), list(clauses.values())


def _where(clauses: dict[str, Any]) -> str:
    return f"WHERE {' AND '.join(clauses)}" if clauses else ""


def _count(reading: sqlite3.Connection, where: str, values: list[Any], at_most: int) -> int:
    select = f"SELECT count(*) FROM (SELECT 1 FROM records {where} LIMIT ?)"  # noqa: S608 - constants
    count: int = reading.execute(select, (*values, at_most)).fetchone()[0]
    return count


def _pattern(text: str) -> str:
    """A LIKE pattern for text as it stands: `%` and `_` in it mean themselves."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
