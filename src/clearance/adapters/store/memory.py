"""The stores' in-memory twins: the same answers, one lock, gone with the process."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence

from clearance.adapters.store.checks import ChainCheck, Problems, RunCheck
from clearance.adapters.store.intake import Accepted, accept
from clearance.adapters.store.run_state import RunState, followed, stands
from clearance.core.drafts import ADMINISTRATION_RUN
from clearance.core.model import Draft, Durability, Record, RecordKind
from clearance.core.model.record import GENESIS, seal
from clearance.ports import (
    RecordQuery,
    RunQuery,
    RunSummary,
    Verification,
)

_FILTERS = ("run_id", "agent", "tool", "operation", "effect", "kind", "status")
_FILE = "memory"


class MemoryJournal:
    """A journal of one process. No other process writes to it, and only its own node is alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._by_run: dict[str, list[Record]] = {}
        self._by_action: dict[str, list[Record]] = {}
        self._states: dict[str, RunState] = {}
        self._opened: dict[tuple[str, str], Record] = {}
        self._node = secrets.token_hex(8)

    @property
    def node(self) -> str:
        return self._node

    def is_alive(self, node: str) -> bool:
        return node == self._node

    def forget_dead(self) -> None: ...

    def sync(self) -> None: ...

    def follow_turns(self, call_soon: object) -> None: ...

    def tend(self) -> None: ...

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        durability: Durability = Durability.POWER,  # noqa: ARG002 - memory survives nothing
    ) -> list[Record]:
        accepted = accept(drafts, node=self.node)
        with self._lock:
            return [self._add(item) for item in accepted]

    def run(self, run_id: str) -> list[Record]:
        with self._lock:
            return list(self._by_run.get(run_id, ()))

    def action(self, action_id: str) -> list[Record]:
        with self._lock:
            return list(self._by_action.get(action_id, ()))

    def runs(self, query: RunQuery) -> list[RunSummary]:
        with self._lock:
            states = list(self._states.values())
        matching = [
            state
            for state in states
            if state.run_id != ADMINISTRATION_RUN
            and query.agent in ("", state.agent)
            and (query.before is None or state.started_at < query.before)
        ]
        matching.sort(key=lambda state: (state.started_at, state.run_id), reverse=True)
        return [state.summary() for state in matching[: max(query.limit, 0)]]

    def search(self, query: RecordQuery) -> list[Record]:
        with self._lock:
            matching = [record for record in self._records if _matches(record, query)]
        matching.sort(key=lambda record: (record.at, record.position), reverse=True)
        return matching[: max(query.limit, 0)]

    def in_flight(self, *, limit: int = 0) -> list[Record]:
        with self._lock:
            intents = [record for record in self._opened.values() if record.kind is RecordKind.INTENT]
        first = sorted(intents, key=lambda record: (record.action_id, record.run_id))[: limit or None]
        return sorted(first, key=lambda record: record.position)

    def foreign(self) -> list[Record]:
        return []

    def verify(self, run_id: str = "") -> Verification:
        with self._lock:
            records = list(self._by_run.get(run_id, ())) if run_id else list(self._records)
        problems = Problems()
        chain = ChainCheck(problems)
        checks: dict[str, RunCheck] = {}
        for record in records:
            if not run_id:
                chain.add(record, _FILE)
            checks.setdefault(record.run_id, RunCheck(problems)).add(record, _FILE)
        last = records[-1] if records else None
        head = GENESIS if last is None else last.hash if run_id else last.chain
        return Verification(records=len(records), runs=len(checks), head=head, problems=problems.all())

    def close(self) -> None:
        """Nothing outlives the process, so there is nothing to make durable."""

    def _add(self, accepted: Accepted) -> Record:
        draft = accepted.draft
        before = self._states.get(draft.run_id)
        record = seal(
            draft,
            seq=before.seq + 1 if before else 1,
            prev_hash=before.hash if before else GENESIS,
            position=len(self._records) + 1,
            prev_chain=self._records[-1].chain if self._records else GENESIS,
        )
        new_actions = self._move_action(record)
        self._states[draft.run_id] = followed(before, record, accepted.told, new_actions=new_actions)
        self._records.append(record)
        self._by_run.setdefault(record.run_id, []).append(record)
        if record.action_id:
            self._by_action.setdefault(record.action_id, []).append(record)
        return record

    def _move_action(self, record: Record) -> int:
        key = (record.run_id, record.action_id)
        opened = self._opened.get(key)
        now, new_actions = stands(record.kind, opened.kind if opened else None)
        if now is None:
            self._opened.pop(key, None)
        elif opened is None or now is not opened.kind:
            self._opened[key] = record
        return new_actions


def _matches(record: Record, query: RecordQuery) -> bool:
    return (
        all(getattr(query, field) in ("", getattr(record, field)) for field in _FILTERS)
        and (query.since is None or record.at >= query.since)
        and (query.until is None or record.at < query.until)
        # Letters of ASCII match in either case, as SQLite's LIKE has it.
        and query.text.encode().lower() in bytes(record.body).lower()
    )
