"""The control point in this process, on a store in the working directory."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from clearance.config import Settings
from clearance.core.model import (
    ActionCall,
    CheckResult,
    Durability,
    HoldStatus,
    HoldView,
    Judged,
    OutcomeReport,
    OutcomeStatus,
    Principal,
    Reason,
    Record,
    RestoreMode,
    Saved,
    Undone,
)
from clearance.ports import HoldQuery, PolicyVersion, RecordQuery, RunQuery, RunSummary, Target
from clearance.runtime.async_writer import AsyncWriter
from clearance.runtime.hold_watch import HoldWatch
from clearance.sdk.in_flight import InFlight, Stopping
from clearance.wiring import assemble, utc_now

_DOOR = "sdk"
_BY = "sdk"
_LOOK_SECONDS = 0.15  # with what InFlight waits before, four times a second


class EmbeddedBackend:
    """Opens the store at once. An agent's name is taken at its word here: see SECURITY.md."""

    def __init__(self, settings: Settings) -> None:
        """Raises StoreError, PolicyError."""
        self.assembly = assemble(settings)
        self.wait_for_approval_seconds = settings.wait_for_approval_seconds
        self._point = self.assembly.control_point
        self.in_flight = InFlight(self._look)
        self._writer: AsyncWriter | None = None
        self._watch: HoldWatch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def clear(self, call: ActionCall) -> CheckResult:
        return self._point.clear(call, Principal(agent=call.agent), door=_DOOR)

    def clear_at(self, call: ActionCall, target: Target, *, door: str) -> CheckResult:
        """For a door of this process that itself touches the real system."""
        return self._point.clear(call, Principal(agent=call.agent), door=door, target=target)

    async def aclear(self, call: ActionCall) -> CheckResult:
        append = self._async_writer().append
        return await self._point.aclear(call, Principal(agent=call.agent), door=_DOOR, append=append)

    def report(self, action_id: str, report: OutcomeReport) -> None:
        self._point.report(action_id, report)

    async def areport(self, action_id: str, report: OutcomeReport) -> None:
        await self._areported(action_id, report)

    def inspect(self, action_id: str, result: Any) -> Judged:
        return self._point.report(action_id, OutcomeReport(status=OutcomeStatus.SUCCEEDED, result=result))

    async def ainspect(self, action_id: str, result: Any) -> Judged:
        return await self._areported(action_id, OutcomeReport(status=OutcomeStatus.SUCCEEDED, result=result))

    async def _areported(self, action_id: str, report: OutcomeReport) -> Judged:
        draft, judged = self._point.judged_outcome(action_id, report)
        if self._point.has_saved(action_id):
            await asyncio.to_thread(self._point.settle, action_id)
        await self._async_writer().append([draft], Durability.PROCESS)
        return judged

    def start_run(self, *, agent: str, goal: str, parent_run_id: str) -> str:
        return self._point.runs.start(agent=agent, goal=goal, parent_run_id=parent_run_id).run_id

    async def astart_run(self, *, agent: str, goal: str, parent_run_id: str) -> str:
        run, draft = self._point.runs.draft(agent=agent, goal=goal, parent_run_id=parent_run_id)
        await self._async_writer().append([draft], Durability.POWER)
        return run.run_id

    def join_run(self, run_id: str, *, agent: str) -> str:
        return self._point.runs.get(run_id, agent=agent).goal

    async def ajoin_run(self, run_id: str, *, agent: str) -> str:
        return (await asyncio.to_thread(self._point.runs.get, run_id, agent=agent)).goal

    def hold(self, hold_id: str) -> HoldView:
        return HoldView.of(self.assembly.holds.hold(hold_id))

    def holds(self, query: HoldQuery) -> list[HoldView]:
        return [HoldView.of(hold) for hold in self.assembly.holds.holds(query)]

    def wait_hold(self, hold_id: str, seconds: float) -> HoldView:
        return HoldView.of(self.assembly.holds.wait(hold_id, seconds=seconds))

    async def await_hold(self, hold_id: str, seconds: float) -> HoldView:
        """No thread waits for a person: the store is looked at, for all who wait on this loop at once."""
        holds, until = self.assembly.holds, time.monotonic() + seconds
        while True:
            # Nothing but this process may be there to end what nobody answers.
            hold = await asyncio.to_thread(holds.wait, hold_id, seconds=0)
            left = until - time.monotonic()
            if hold.status is not HoldStatus.PENDING or left <= 0:
                return HoldView.of(hold)
            ends = (hold.expires_at - utc_now()).total_seconds()
            await self._hold_watch().answered(hold_id, seconds=min(left, max(ends, 0.01)))

    def end_run(self, run_id: str, *, status: OutcomeStatus, error: str) -> None:
        self._point.runs.end(self._point.runs.get(run_id), status=status, error=error)

    async def aend_run(self, run_id: str, *, status: OutcomeStatus, error: str) -> None:
        draft = self._point.runs.end_draft(self._point.runs.get(run_id), status=status, error=error)
        await self._async_writer().append([draft], Durability.POWER)

    def note(self, run_id: str, text: str) -> None:
        self._point.runs.note(self._point.runs.get(run_id), text)

    def runs(self, query: RunQuery) -> list[RunSummary]:
        return self._point.journal.runs(query)

    def trace(self, run_id: str) -> list[Record]:
        return self._point.journal.run(run_id)

    def search(self, query: RecordQuery) -> list[Record]:
        return self._point.journal.search(query)

    def policies(self) -> PolicyVersion | None:
        return self._point.policies.document()

    def create_policy(self, policy: dict[str, Any]) -> PolicyVersion:
        return self._point.policies.create(policy, by=_BY)

    def replace_policy(self, name: str, policy: dict[str, Any]) -> PolicyVersion:
        return self._point.policies.replace(name, policy, by=_BY)

    def delete_policy(self, name: str) -> PolicyVersion:
        return self._point.policies.delete(name, by=_BY)

    def snapshot(
        self, resource: str | tuple[str, ...], *, record_ids: list[Any] | None, agent: str, run_id: str
    ) -> str:
        return self.assembly.recovery.snapshot(
            resource, Principal(agent=agent), record_ids=record_ids, run_id=run_id, door=_DOOR
        )

    def undo(self, of: str, *, mode: RestoreMode, agent: str, run_id: str) -> Undone:
        principal = Principal(agent=agent)
        return self.assembly.recovery.undo(of, principal, mode=mode, run_id=run_id, door=_DOOR)

    def undo_run(self, run_id: str, *, mode: RestoreMode, agent: str) -> list[Undone]:
        return self.assembly.recovery.undo_run(run_id, Principal(agent=agent), mode=mode, door=_DOOR)

    def verify(self, snapshot_id: str) -> list[Saved]:
        return self.assembly.recovery.verify(snapshot_id)

    def stopping(self, call: ActionCall) -> Reason | None:
        return self._point.stopping(call, Principal(agent=call.agent))

    def _look(self) -> Stopping:
        time.sleep(_LOOK_SECONDS)
        return self.stopping

    def close(self) -> None:
        self.in_flight.close()
        self.assembly.close()

    async def aclose(self) -> None:
        self.in_flight.close()
        if self._writer is not None:
            await self._writer.close()
        self.assembly.close()

    def _async_writer(self) -> AsyncWriter:
        """One writer and one watch for each event loop; a program may start several, one after the other."""
        loop = asyncio.get_running_loop()
        if self._writer is None or self._loop is not loop:
            self._writer, self._loop = AsyncWriter(self._point.journal), loop
            self._watch = HoldWatch(self.assembly.state.holds)
        return self._writer

    def _hold_watch(self) -> HoldWatch:
        self._async_writer()
        assert self._watch is not None
        return self._watch
