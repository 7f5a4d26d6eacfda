"""Read every record, recompute every hash, and compare every derived line with the records it tells of.

Each segment is read twice, in order of position and in order of runs, so that memory stays the same however
long the journal is. Reports; repairs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain, groupby

from clearance.adapters.store.checks import ChainCheck, Problems, RunCheck
from clearance.adapters.store.intake import Told, told
from clearance.adapters.store.run_state import RunState, followed, stands
from clearance.adapters.store.sqlite.failures import store_error
from clearance.adapters.store.sqlite.meta import Meta, read_meta
from clearance.adapters.store.sqlite.readers import Readers
from clearance.adapters.store.sqlite.rows import SELECT_RECORDS, Row, kind_of, record_of, run_in
from clearance.adapters.store.sqlite.run_index import RunIndex
from clearance.adapters.store.sqlite.segments import Segments
from clearance.core.model import Record, RecordKind
from clearance.core.model.record import GENESIS
from clearance.errors import IntegrityError, StoreError
from clearance.ports import Verification

_Opened = dict[tuple[str, str], tuple[RecordKind, int]]  # of (run, action): where it stands, and since when


def verify_journal(segments: Segments, readers: Readers, index: RunIndex) -> Verification:
    """Every segment that is kept, and how each takes over from the one before."""
    check = _JournalCheck(readers, index)
    for name in segments.names():
        check.segment(name)
    return check.result()


def verify_run(run_id: str, segments: Segments, readers: Readers) -> Verification:
    """One run over all segments, and that the list of runs knows its last record."""
    problems = Problems()
    check = RunCheck(problems)
    listed: RunState | None = None
    for name in segments.names():
        try:
            with readers.reading(name) as reading:
                rows = reading.execute(SELECT_RECORDS + "WHERE run_id = ? ORDER BY seq", (run_id,))
                for record in _readable(rows, name, problems):
                    if not check.records and record.seq > 1 and listed is None and _is_cut(segments, readers):
                        check.after = None
                    check.add(record, name)
                listed = _listed(reading, run_id) or listed
        except (sqlite3.Error, StoreError) as error:
            problems.add(_unusable(name, error))
    if (listed is not None or check.records) and check.after != (listed and (listed.seq, listed.hash)):
        problems.add(f"Run {run_id} does not end where the list of runs says: records were removed or added.")
    return Verification(
        records=check.records,
        runs=int(check.records > 0),
        head=check.after[1] if check.after else GENESIS,
        problems=problems.all(),
    )


class _JournalCheck:
    """Goes from the oldest segment to the newest."""

    def __init__(self, readers: Readers, index: RunIndex) -> None:
        self._readers = readers
        self._index = index
        self._problems = Problems()
        self._chain = ChainCheck(self._problems)
        self._before: Meta | None = None
        self._passed: list[str] = []
        self._is_cut = False
        self._opened: _Opened = {}
        self._runs = 0

    def segment(self, name: str) -> None:
        try:
            with self._readers.reading(name) as reading:
                meta = read_meta(reading)
                self._take_over(reading, meta, name)
                self._check_chain(reading, meta)
                self._check_runs(reading, meta)
                self._check_opened(reading, meta)
                self._before = meta
        except (sqlite3.Error, StoreError) as error:
            self._problems.add(_unusable(name, error))
            self._before = None
        self._passed.append(name)

    def result(self) -> Verification:
        return Verification(
            records=self._chain.records,
            runs=self._runs,
            head=self._chain.chain,
            problems=self._problems.all(),
        )

    def _take_over(self, reading: sqlite3.Connection, meta: Meta, name: str) -> None:
        if meta.name != name:
            self._problems.add(f"File {name} was written under the name {meta.name}.")
        before = self._before
        if before is not None:
            ends = (before.name, before.next, before.final_position, before.final_chain)
            if ends != (meta.previous, meta.name, meta.genesis_position, meta.genesis_chain):
                self._problems.add(
                    f"File {name} does not take over where {before.name} ends: one is missing or changed."
                )
        else:
            self._is_cut = meta.previous != ""
            carried = _opened(reading).items()
            self._opened = {key: value for key, value in carried if value[1] <= meta.genesis_position}
        self._chain.position, self._chain.chain = meta.genesis_position, meta.genesis_chain

    def _check_chain(self, reading: sqlite3.Connection, meta: Meta) -> None:
        rows = reading.execute(SELECT_RECORDS + "ORDER BY position")
        for record in _readable(rows, meta.name, self._problems):
            self._chain.add(record, meta.name)
        if meta.is_sealed and (meta.final_position, meta.final_chain) != (
            self._chain.position,
            self._chain.chain,
        ):
            self._problems.add(f"File {meta.name} does not end where it was sealed.")

    def _check_runs(self, reading: sqlite3.Connection, meta: Meta) -> None:
        rows = reading.execute(SELECT_RECORDS + "INDEXED BY records_run ORDER BY run_id, seq")
        records = _readable(rows, meta.name, Problems())
        is_indexed = meta.name <= self._index.through()
        for _, of_run in groupby(records, key=lambda record: record.run_id):
            self._check_run(reading, meta.name, of_run, is_indexed=is_indexed)
        select = "SELECT run_id FROM runs WHERE NOT EXISTS (SELECT 1 FROM records WHERE run_id = runs.run_id)"
        for (run_id,) in reading.execute(select):
            self._problems.add(f"Run {run_id} is listed in {meta.name}, which holds no record of it.")

    def _check_run(
        self, reading: sqlite3.Connection, name: str, records: Iterator[Record], *, is_indexed: bool
    ) -> None:
        first = next(records)
        state = self._earlier(first.run_id) if first.seq > 1 else None
        is_late = state is None and first.seq > 1 and self._is_cut
        check = RunCheck(self._problems)
        if state is not None or is_late:
            check.after = (state.seq, state.hash) if state else None
        self._runs += state is None
        for record in chain((first,), records):
            check.add(record, name)
            state = followed(state, record, _told(record), new_actions=self._move_action(record))
        assert state is not None
        listed = _listed(reading, state.run_id)
        if listed is None or (listed.seq, listed.hash) != (state.seq, state.hash):
            self._problems.add(f"Run {state.run_id} does not end in {name} where the list of runs says.")
        elif listed != state and not is_late:
            self._problems.add(f"The list of runs in {name} was changed in its line of run {state.run_id}.")
        if is_indexed:
            self._check_index(name, state)

    def _check_index(self, name: str, state: RunState) -> None:
        head = self._index.head(state.run_id)
        if head is None or head[0] < name or (head[0] == name and head[1:] != (state.seq, state.hash)):
            self._problems.add(
                f"The index runs.db is wrong about run {state.run_id}: stop every process, remove that file."
            )

    def _earlier(self, run_id: str) -> RunState | None:
        for name in reversed(self._passed):
            with self._readers.reading(name) as reading:
                state = _listed(reading, run_id)
            if state is not None:
                return state
        return None

    def _move_action(self, record: Record) -> int:
        key = (record.run_id, record.action_id)
        opened = self._opened.get(key)
        now, new_actions = stands(record.kind, opened[0] if opened else None)
        if now is None:
            self._opened.pop(key, None)
        elif opened is None or now is not opened[0]:
            self._opened[key] = (now, record.position)
        return new_actions

    def _check_opened(self, reading: sqlite3.Connection, meta: Meta) -> None:
        listed = _opened(reading)
        for key in sorted(listed.keys() | self._opened.keys()):
            if listed.get(key) != self._opened.get(key):
                self._problems.add(
                    f"The list of open actions in {meta.name} is wrong about an action of run {key[0]}."
                )
        self._opened = listed


def _listed(reading: sqlite3.Connection, run_id: str) -> RunState | None:
    try:
        return run_in(reading, run_id)
    except IntegrityError:
        return None


def _opened(reading: sqlite3.Connection) -> _Opened:
    rows = reading.execute("SELECT run_id, action_id, kind, position FROM open_actions")
    return {(row[0], row[1]): (kind_of(row[2]), row[3]) for row in rows}


def _readable(rows: Iterable[Row], file: str, problems: Problems) -> Iterator[Record]:
    for row in rows:
        try:
            yield record_of(row)
        except IntegrityError as error:
            problems.add(f"{file}: {error}")


def _told(record: Record) -> Told:
    try:
        return told(record.kind, record.body)
    except StoreError:
        return Told()


def _is_cut(segments: Segments, readers: Readers) -> bool:
    """Whether segments before the oldest one that is kept were dropped."""
    with readers.reading(segments.names()[0]) as reading:
        return read_meta(reading).previous != ""


def _unusable(name: str, error: Exception) -> str:
    told_by = error if isinstance(error, StoreError) else store_error(error, "read it")
    return f"File {name}: {told_by}"
