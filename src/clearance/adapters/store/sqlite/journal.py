"""The journal on SQLite: one directory, one file per UTC day, several threads and processes at once.

Holds the parts together and turns their errors into StoreError; does none of their work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

from clearance.adapters.store.intake import accept
from clearance.adapters.store.sqlite.checkpoint import Checkpoints
from clearance.adapters.store.sqlite.failures import translated
from clearance.adapters.store.sqlite.files import BUSY_SECONDS, private_directory, remove_unfinished
from clearance.adapters.store.sqlite.foreign import Foreign, OwnPositions
from clearance.adapters.store.sqlite.group import GroupCommit
from clearance.adapters.store.sqlite.nodes import Nodes
from clearance.adapters.store.sqlite.queries import Queries
from clearance.adapters.store.sqlite.readers import Readers
from clearance.adapters.store.sqlite.run_index import RunIndex
from clearance.adapters.store.sqlite.segments import Segments
from clearance.adapters.store.sqlite.verify import verify_journal, verify_run
from clearance.adapters.store.sqlite.writer import Job, Writer
from clearance.core.model import Draft, Durability, Record
from clearance.ports import CallSoon, RecordQuery, RunQuery, RunSummary, Verification

_Answer = TypeVar("_Answer")


class SqliteJournal:
    """`directory` is made when it is missing. Raises StoreError, also when a newer release has written it.

    `busy_seconds` is how long an append waits for another process. `nodes` tells who else is alive.
    """

    def __init__(self, directory: Path | str = ".clearance", *, busy_seconds: float = BUSY_SECONDS) -> None:
        directory = Path(directory)
        with translated("open the journal"):
            for path in (directory, directory / "journal"):
                private_directory(path)
            remove_unfinished(directory / "journal")
            segments = Segments(directory / "journal", busy_seconds=busy_seconds)
            own = OwnPositions()
            self._segments = segments
            self._index = RunIndex(segments, busy_seconds=busy_seconds)
            self._readers = Readers(segments)
            self._queries = Queries(segments, self._readers)
            self._foreign = Foreign(segments, own)
            self._writer = Writer(segments, self._index, self._readers, own)
            self._group = GroupCommit(self._writer.write)
            self._checkpoints = Checkpoints(segments)
            self.nodes = Nodes(directory / "nodes")

    @property
    def node(self) -> str:
        return self.nodes.own

    def is_alive(self, node: str) -> bool:
        with translated("look for another process"):
            return self.nodes.is_alive(node)

    def forget_dead(self) -> None:
        with translated("forget dead processes"):
            for node in self.nodes.dead_nodes():
                self.nodes.forget(node)

    def append(self, drafts: Sequence[Draft], *, durability: Durability = Durability.POWER) -> list[Record]:
        if not drafts:
            return []
        accepted = accept(drafts, node=self.node)
        latest = max(item.draft.at for item in accepted)
        return self._group.submit(Job(accepted, latest, durability))

    def sync(self) -> None:
        with translated("write to the disk"):
            self._writer.sync()

    def run(self, run_id: str) -> list[Record]:
        return self._ask(lambda: self._queries.run(run_id))

    def action(self, action_id: str) -> list[Record]:
        return self._ask(lambda: self._queries.action(action_id))

    def runs(self, query: RunQuery) -> list[RunSummary]:
        return self._ask(lambda: self._queries.runs(query))

    def search(self, query: RecordQuery) -> list[Record]:
        return self._ask(lambda: self._queries.search(query))

    def in_flight(self, *, limit: int = 0) -> list[Record]:
        return self._ask(lambda: self._queries.in_flight(limit))

    def foreign(self) -> list[Record]:
        with translated("follow the journal"):
            return self._foreign.read()

    def follow_turns(self, call_soon: CallSoon | None) -> None:
        self._foreign.looks.follow_turns(call_soon)

    def verify(self, run_id: str = "") -> Verification:
        if run_id:
            return self._ask(lambda: verify_run(run_id, self._segments, self._readers))
        return self._ask(lambda: verify_journal(self._segments, self._readers, self._index))

    def tend(self) -> None:
        with translated("tend the journal"):
            self._checkpoints.run()

    def drop_before(self, day: date) -> list[str]:
        """Remove the files of whole days before `day`, never the newest. Returns their names, in order."""
        with translated("drop old segments"):
            return self._segments.drop_before(day)

    def close(self) -> None:
        """Safe to call again."""
        with translated("close the journal"):
            self._checkpoints.close()
            self._writer.close()
            self._foreign.close()
            self._readers.close()
            self._index.close()
            self.nodes.close()

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        with translated("read the journal"):
            try:
                return question()
            except sqlite3.OperationalError as error:
                # Another process may have dropped a segment between the listing and the opening.
                if error.sqlite_errorname != "SQLITE_CANTOPEN":
                    raise
                return question()
