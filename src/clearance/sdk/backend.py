"""What the in-process door needs of a control point, in this process or behind HTTP: one API for both."""

from __future__ import annotations

from typing import Any, Protocol

from clearance.core.model import (
    ActionCall,
    CheckResult,
    HoldView,
    Judged,
    OutcomeReport,
    OutcomeStatus,
    Reason,
    Record,
    RestoreMode,
    Saved,
    Undone,
)
from clearance.ports import HoldQuery, PolicyVersion, RecordQuery, RunQuery, RunSummary
from clearance.sdk.in_flight import InFlight


class Backend(Protocol):
    """Each `a…` method is its namesake for an event loop. All raise ClearanceError and nothing else."""

    wait_for_approval_seconds: float  # how long a guarded call that is held waits before it raises

    def clear(self, call: ActionCall) -> CheckResult: ...

    async def aclear(self, call: ActionCall) -> CheckResult: ...

    def report(self, action_id: str, report: OutcomeReport) -> None: ...

    async def areport(self, action_id: str, report: OutcomeReport) -> None: ...

    def inspect(self, action_id: str, result: Any) -> Judged:
        """Record that an action succeeded; what of its result may be shown."""

    async def ainspect(self, action_id: str, result: Any) -> Judged: ...

    def start_run(self, *, agent: str, goal: str, parent_run_id: str) -> str: ...

    async def astart_run(self, *, agent: str, goal: str, parent_run_id: str) -> str: ...

    def join_run(self, run_id: str, *, agent: str) -> str:
        """The goal of a run that was begun before. Raises NotFoundError, ForbiddenError for another's."""

    async def ajoin_run(self, run_id: str, *, agent: str) -> str: ...

    def hold(self, hold_id: str) -> HoldView: ...

    def holds(self, query: HoldQuery) -> list[HoldView]: ...

    def wait_hold(self, hold_id: str, seconds: float) -> HoldView:
        """The hold as soon as it is decided, or as it is after so long."""

    async def await_hold(self, hold_id: str, seconds: float) -> HoldView: ...

    def end_run(self, run_id: str, *, status: OutcomeStatus, error: str) -> None: ...

    async def aend_run(self, run_id: str, *, status: OutcomeStatus, error: str) -> None: ...

    def note(self, run_id: str, text: str) -> None: ...

    def runs(self, query: RunQuery) -> list[RunSummary]: ...

    def trace(self, run_id: str) -> list[Record]: ...

    def search(self, query: RecordQuery) -> list[Record]: ...

    def policies(self) -> PolicyVersion | None: ...

    def create_policy(self, policy: dict[str, Any]) -> PolicyVersion: ...

    def replace_policy(self, name: str, policy: dict[str, Any]) -> PolicyVersion: ...

    def delete_policy(self, name: str) -> PolicyVersion: ...

    def snapshot(
        self, resource: str | tuple[str, ...], *, record_ids: list[Any] | None, agent: str, run_id: str
    ) -> str: ...

    def undo(self, of: str, *, mode: RestoreMode, agent: str, run_id: str) -> Undone: ...

    def undo_run(self, run_id: str, *, mode: RestoreMode, agent: str) -> list[Undone]: ...

    def verify(self, snapshot_id: str) -> list[Saved]: ...

    def stopping(self, call: ActionCall) -> Reason | None:
        """Why an action that runs has to end; None: it may go on."""

    @property
    def in_flight(self) -> InFlight: ...

    def close(self) -> None: ...

    async def aclose(self) -> None: ...
