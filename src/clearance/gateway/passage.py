"""What every network door does with one action: who asks, in which run; cleared before, told after."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from clearance.core.model import ActionCall, CheckResult, Draft, Durability, Judged, OutcomeReport, Principal
from clearance.core.model.judged import ResultRules
from clearance.errors import AuthenticationError
from clearance.gateway.endpoint import Access, Caller
from clearance.gateway.metrics import Metrics
from clearance.ports import Presented
from clearance.runtime.control_point import ControlPoint
from clearance.runtime.joining import Hints, Joining
from clearance.runtime.loop_writer import LoopWriter
from clearance.runtime.runs import Run
from clearance.wiring import Assembly, utc_now


class Passage:
    """Belongs to one event loop. Shared by all doors of a process, so that they join the same runs."""

    def __init__(self, assembly: Assembly, writer: LoopWriter, metrics: Metrics) -> None:
        self.assembly = assembly
        self.metrics = metrics
        self.point: ControlPoint = assembly.control_point
        self.joining = Joining(self.point.runs)
        self._writer = writer

    async def identify(self, credentials: Presented, access: Access = Access.ACT) -> Caller:
        """Raises AuthenticationError, ForbiddenError."""
        identity = self.assembly.identity
        who = identity.identify_known(credentials, utc_now())
        if who is None:
            who = await asyncio.to_thread(identity.identify, credentials, utc_now())
        if who is None:
            raise AuthenticationError("Send the key as `Authorization: Bearer clr_…`.")
        caller = Caller.of(who)
        caller.must(access)
        return caller

    async def join(self, principal: Principal, hints: Hints) -> Run:
        """Raises NotFoundError, ForbiddenError, RequestError, StoreError."""
        return await self.joining.join(principal.agent, hints, self._begin)

    async def clear(
        self,
        call: ActionCall,
        principal: Principal,
        *,
        door: str,
        already_recorded: int = 0,
        written: bytes = b"",
    ) -> CheckResult:
        """Decided, and durable. Only when it is `allowed` may the door carry it out, once.

        Of a model call's messages the first `already_recorded` are in the run's trace: they are judged, and
        not written again. `written` is the JSON of its arguments, where the door has it at hand. Raises what
        `ControlPoint.aclear` does.
        """
        began = perf_counter()
        result = await self.point.aclear(
            call,
            principal,
            door=door,
            append=self._writer.append,
            already_recorded=already_recorded,
            written=written,
        )
        self.metrics.decided(door, result, seconds=perf_counter() - began)
        return result

    async def told(
        self,
        action_id: str,
        report: OutcomeReport,
        *,
        measured: Mapping[str, float] | None = None,
        judged: Judged | None = None,
    ) -> None:
        """Record how it ended, before the agent sees the end of it. Raises NotFoundError, StoreError.

        `measured` are facts that were reserved and came out otherwise (`output_tokens`, `cost_usd`).
        """
        draft = self.point.outcome_draft(action_id, report, measured=measured, judged=judged)
        if self.point.has_saved(action_id):
            await asyncio.to_thread(self.point.settle, action_id)
        await self._writer.append([draft], Durability.PROCESS)

    async def note(self, run: Run, text: str) -> None:
        """A remark in the run's trace, for what ended before it was an action. Raises StoreError."""
        await self._writer.append([self.point.runs.note_draft(run, text)], Durability.PROCESS)

    def restorations(self, action_id: str) -> Mapping[str, str]:
        """Which value each placeholder in a cleared call stands for; until its outcome is told."""
        return self.point.restorations(action_id)

    def result_rules(self, action_id: str) -> ResultRules:
        """What to watch for while the result of a cleared action flows."""
        return self.point.result_rules(action_id)

    def judge_result(self, action_id: str, result: Any) -> Judged:
        """What of a cleared action's result the agent may see."""
        return self.point.judge_result(action_id, result)

    async def _begin(self, draft: Draft) -> None:
        await self._writer.append([draft], Durability.PROCESS)  # the fsync of its first intent covers it
