"""Runs: begun, found again, ended. Methods that end in `_draft` leave the appending to a door on a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from clearance.core import drafts
from clearance.core.drafts import ADMINISTRATION_RUN
from clearance.core.model import Draft, OutcomeStatus
from clearance.errors import ConflictError, ForbiddenError, NotFoundError
from clearance.ports import Journal
from clearance.runtime.mediator import Clock
from clearance.runtime.names import NewId
from clearance.runtime.recent import Recent

_KEPT = 4_096  # runs whose goal needs no look-up in the journal


class Run(Struct, frozen=True, kw_only=True):
    """One agent task, as its door holds it."""

    run_id: str
    agent: str
    goal: str = ""


class Remembering(Protocol):
    """The memory of what was cleared, as far as runs concern it."""

    def run_started(self, run_id: str) -> None: ...

    def run_ended(self, run_id: str) -> None: ...


class Runs:
    """Thread-safe."""

    def __init__(
        self,
        journal: Journal,
        memory: Remembering,
        *,
        clock: Clock,
        new_id: NewId,
        seen: Callable[[str], None] | None = None,
    ) -> None:
        """`seen` is told of the agent of every run that begins."""
        self._journal = journal
        self._memory = memory
        self._clock = clock
        self._new_id = new_id
        self._seen = seen
        self._kept: Recent[Run] = Recent(_KEPT)

    def start(self, *, agent: str, goal: str = "", run_id: str = "", parent_run_id: str = "") -> Run:
        """Begin a run. Raises ConflictError when the id is taken, StoreError."""
        run, draft = self.draft(agent=agent, goal=goal, run_id=run_id, parent_run_id=parent_run_id)
        self._journal.append([draft])
        return run

    def draft(
        self, *, agent: str, goal: str = "", run_id: str = "", parent_run_id: str = ""
    ) -> tuple[Run, Draft]:
        """A run, and the record that starts it. Raises ConflictError when the id is taken, StoreError."""
        if run_id and (run_id == ADMINISTRATION_RUN or self._known(run_id) is not None):
            raise ConflictError("A run of this id exists; leave `run_id` out to have one made.")
        if self._seen is not None:
            self._seen(agent)
        run = Run(run_id=run_id or self._new_id("run"), agent=agent, goal=goal)
        self._kept.put(run.run_id, run)
        self._memory.run_started(run.run_id)
        at = self._clock()
        return run, drafts.run_started(run.run_id, agent=agent, goal=goal, at=at, parent_run_id=parent_run_id)

    def get(self, run_id: str, *, agent: str = "") -> Run:
        """A run by its id. Raises NotFoundError; ForbiddenError when it is not `agent`'s own."""
        run = None if run_id == ADMINISTRATION_RUN else self._known(run_id)  # nobody's task to add to
        if run is None:
            raise NotFoundError("There is no run of this id.")
        if agent and run.agent != agent:
            raise ForbiddenError("This run belongs to another agent.")
        return run

    def end(self, run: Run, *, status: OutcomeStatus, error: str = "") -> None:
        """Close a run. Raises StoreError."""
        self._journal.append([self.end_draft(run, status=status, error=error)])

    def end_draft(self, run: Run, *, status: OutcomeStatus, error: str = "") -> Draft:
        """The record that ends a run."""
        self._memory.run_ended(run.run_id)
        return drafts.run_ended(run.run_id, agent=run.agent, at=self._clock(), status=status, error=error)

    def note(self, run: Run, text: str) -> None:
        """Add a remark to a run. Raises StoreError."""
        self._journal.append([self.note_draft(run, text)])

    def note_draft(self, run: Run, text: str) -> Draft:
        """The record of a remark."""
        return drafts.note(run.run_id, agent=run.agent, at=self._clock(), text=text)

    def _known(self, run_id: str) -> Run | None:
        run = self._kept.get(run_id)
        if run is None:
            records = self._journal.run(run_id)
            if not records:
                return None
            goal = records[0].decoded().get("goal", "")
            run = Run(run_id=run_id, agent=records[0].agent, goal=goal)
            self._kept.put(run_id, run)
        return run
