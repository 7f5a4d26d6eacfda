"""Which actions a group of records opens and closes: read before, written after, in a step or two each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from clearance.adapters.store.intake import Accepted
from clearance.adapters.store.run_state import stands
from clearance.adapters.store.sqlite.bulk import among, insert
from clearance.adapters.store.sqlite.rows import kind_of
from clearance.core.model import Record, RecordKind

_MOVES: Final = frozenset({RecordKind.HOLD, RecordKind.INTENT, RecordKind.REFUSAL, RecordKind.OUTCOME})
_SELECT: Final = "SELECT action_id, run_id, kind FROM open_actions WHERE action_id"
_DELETE: Final = "DELETE FROM open_actions WHERE action_id = ? AND run_id = ?"
_INSERT: Final = "INSERT OR REPLACE INTO open_actions (action_id, run_id, kind, position)"

_Key = tuple[str, str]


class OpenActions:
    """Belongs to one transaction."""

    def __init__(self, connection: sqlite3.Connection, accepted: Iterable[Accepted]) -> None:
        self._connection = connection
        drafts = (one.draft for one in accepted)
        moved = sorted({draft.action_id for draft in drafts if draft.kind in _MOVES})
        self._before: dict[_Key, RecordKind] = {
            (action_id, run_id): kind_of(kind)
            for action_id, run_id, kind in among(connection, _SELECT, moved)
        }
        self._now: dict[_Key, RecordKind] = dict(self._before)
        self._at: dict[_Key, int] = {}

    def move(self, record: Record) -> int:
        """Take in the next record. Returns how many actions it adds to its run."""
        if record.kind not in _MOVES:
            return 0
        key = (record.action_id, record.run_id)
        opened = self._now.get(key)
        now, new_actions = stands(record.kind, opened)
        if now is None:
            self._now.pop(key, None)
        elif now is not opened:
            self._now[key] = now
            self._at[key] = record.position
        return new_actions

    def write(self) -> None:
        """Bring the table to where the group left the actions."""
        closed = [key for key in self._before if key not in self._now]
        opened = [
            (*key, kind.value, self._at[key])
            for key, kind in self._now.items()
            if kind is not self._before.get(key) or key in self._at
        ]
        if closed:
            self._connection.executemany(_DELETE, closed)
        insert(self._connection, opened, into=_INSERT)
