"""How the messages of one MCP conversation are cleared, recorded and judged. Sends nothing."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from clearance.core.dialects import mcp
from clearance.core.dialects.mcp import Request, Response
from clearance.core.dialects.mcp_actions import TOOL_CALL, answer_action, server_action
from clearance.core.model import (
    ActionCall,
    CheckResult,
    Judged,
    OutcomeReport,
    OutcomeStatus,
    Principal,
    ReasonCode,
)
from clearance.errors import ClearanceError, RequestError, StoreError
from clearance.gateway.mcp_proxy.answers import META, Refusal, refusal_of
from clearance.gateway.mcp_proxy.guarded import DOOR, GuardedServer
from clearance.runtime.joining import Hints
from clearance.runtime.runs import Run

_PROGRESS_SECONDS: Final = 5.0  # well within any client's time-out that progress puts off
_MOST_ERROR: Final = 2_000  # characters of a server's error in the record
_LOG = logging.getLogger("clearance")

Tell = Callable[[bytes], Awaitable[None]]


class Answers(Struct, frozen=True):
    """What the client sends along for the server's questions. `values` is set where a policy changed one."""

    action_ids: tuple[str, ...] = ()
    values: dict[str, Any] | None = None


_NO_ANSWERS: Final = Answers()


class Clearing:
    """Belongs to one event loop, and to one agent."""

    def __init__(self, server: GuardedServer, principal: Principal, hints: Hints) -> None:
        self._server = server
        self._passage = server.passage
        self._principal = principal
        self._hints = hints

    async def run(self, params: dict[str, Any], call: ActionCall | None = None) -> Run:
        """The run that a message belongs to: where none is named, that of the model that asked for the call.

        Raises what `Passage.join` does.
        """
        traceparent = mcp.meta_of(params).get("traceparent")
        hints = self._hints
        if not hints.traceparent and isinstance(traceparent, str):
            hints = replace(hints, traceparent=traceparent)
        if call is not None and not (hints.run_id or hints.traceparent):
            proposed = self._passage.point.proposal_run(call, self._principal)
            if proposed:
                return await self._passage.join(self._principal, Hints(run_id=proposed))
        run = await self._passage.join(self._principal, hints)
        for key in hints.keys:
            self._passage.joining.remember(run, key)
        return run

    def in_run(self, call: ActionCall, run: Run, params: dict[str, Any]) -> ActionCall:
        """The call in its run; under the hold that `_meta` names, where it names one."""
        ours = mcp.meta_of(params).get(META)
        hold_id = ours.get("hold_id") if isinstance(ours, dict) else ""
        return replace(call, run_id=run.run_id, hold_id=hold_id if isinstance(hold_id, str) else "")

    async def clear(self, call: ActionCall, request: Request, tell: Tell | None) -> CheckResult:
        """Decided; where it is held, after waiting for a person as long as the settings say."""
        result = await self._passage.clear(call, self._principal, door=DOOR)
        if not self._server.settings.wait_seconds or result.reason_code != ReasonCode.APPROVAL_REQUIRED:
            return result
        if await self._approved(result.hold_id, request, tell):
            return await self._passage.clear(call, self._principal, door=DOOR)
        return result

    async def ask(self, call: ActionCall, params: dict[str, Any]) -> CheckResult:
        """Decided at once: of what the server asks, and of what it is answered."""
        run = await self.run(params)
        return await self._passage.clear(replace(call, run_id=run.run_id), self._principal, door=DOOR)

    async def answers(self, params: dict[str, Any], run: Run) -> Answers | Refusal:
        """The answers that a retried call brings, each judged on every round."""
        given = params.get("inputResponses")
        if given is None:
            return _NO_ANSWERS
        if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
            raise RequestError("`inputResponses` is an object of objects.", reason="wrong_type")
        cleared: list[str] = []
        values = dict(given)
        for key, answer in given.items():
            call = answer_action(self._server.name, answer, self._server.place)
            call = replace(call, run_id=run.run_id)
            result = await self._passage.clear(call, self._principal, door=DOOR)
            if result.blocked:
                await self.settle(Answers(tuple(cleared)), is_sent=False)
                return refusal_of(result)
            cleared.append(result.action_id)
            values[key] = answer if result.arguments is None else result.arguments
        is_changed = any(values[key] is not given[key] for key in given)
        return Answers(tuple(cleared), values if is_changed else None)

    async def settle(self, answers: Answers, *, is_sent: bool) -> None:
        """Record whether the answers left."""
        status = OutcomeStatus.SUCCEEDED if is_sent else OutcomeStatus.FAILED
        for action_id in answers.action_ids:
            await self.told(action_id, status, error="" if is_sent else "Not sent.")

    async def result(self, action_id: str, request: Request, response: Response) -> bytes | Refusal | None:
        """What came of an action, recorded and as the agent may see it; None: the very same bytes."""
        if response.result is None:
            return await self._error(action_id, request, response.error or {})
        judged = self._passage.judge_result(action_id, response.result)
        has_failed = response.result.get("isError") is True
        status = OutcomeStatus.FAILED if has_failed else OutcomeStatus.SUCCEEDED
        asks = response.result.get("resultType") == "input_required"
        refused = await self._asks(response.result, request.params) if asks else None
        if not await self.told(action_id, status, judged=judged):
            return _unrecorded(action_id)
        if judged.withheld:
            return Refusal(_code(judged), judged.reason, action_id=action_id)
        if refused is not None:
            return refused
        is_same = judged.value is response.result or judged.value == response.result
        if request.method != TOOL_CALL or not self._server.settings.label:
            return None if is_same else mcp.write_result(request.id, judged.value)
        return mcp.write_result(request.id, self._labelled(judged.value, action_id))

    async def told(
        self, action_id: str, status: OutcomeStatus, *, error: str = "", judged: Judged | None = None
    ) -> bool:
        """Record how an action ended. False where that failed: then nobody is to see its result."""
        if not action_id:
            return True
        value = judged.value if judged is not None else None
        report = OutcomeReport(status=status, result=value, error=error[:_MOST_ERROR])
        try:
            await self._passage.told(action_id, report, judged=judged)
        except StoreError as failure:
            _LOG.error("the outcome of %s could not be recorded (%s)", action_id, failure.code)
            return False
        except ClearanceError as failure:  # the sweep closed it as unknown: a late word changes nothing
            _LOG.warning("the outcome of %s came too late (%s)", action_id, failure.code)
        return True

    async def _error(self, action_id: str, request: Request, found: dict[str, Any]) -> bytes | Refusal | None:
        """A server's error is read by the agent like a result: judged like one."""
        judged = self._passage.judge_result(action_id, found)
        message = judged.value.get("message") if isinstance(judged.value, dict) else ""
        if not await self.told(action_id, OutcomeStatus.FAILED, error=str(message), judged=judged):
            return _unrecorded(action_id)
        if judged.withheld:
            return Refusal(_code(judged), judged.reason, action_id=action_id)
        if judged.value is found or judged.value == found:
            return None
        code = found.get("code")
        told = str(judged.value.get("message", ""))
        return mcp.write_error(
            request.id, code if isinstance(code, int) else mcp.INTERNAL_ERROR, told, judged.value.get("data")
        )

    async def _asks(self, result: dict[str, Any], params: dict[str, Any]) -> Refusal | None:
        """Why the questions of an `input_required` result may not reach the client."""
        asked = result.get("inputRequests") or {}
        if not isinstance(asked, dict):
            return Refusal("wrong_type", "The server's `inputRequests` is no object.")
        for one in asked.values():
            method = one.get("method") if isinstance(one, dict) else None
            wanted = one.get("params", {}) if isinstance(one, dict) else None
            if not isinstance(method, str) or not isinstance(wanted, dict):
                return Refusal("wrong_type", "The server asks for something that is no request.")
            try:
                call = server_action(self._server.name, method, wanted, self._server.place)
                cleared = await self.ask(call, params)
            except ClearanceError as error:
                return Refusal(error.code, str(error))
            if cleared.blocked:
                return refusal_of(cleared)
            await self.told(cleared.action_id, OutcomeStatus.SUCCEEDED)  # asked; the answer is its own action
        return None

    def _labelled(self, result: dict[str, Any], action_id: str) -> dict[str, Any]:
        label = {"trust": self._server.settings.trust, "server": self._server.name, "action_id": action_id}
        return {**result, "_meta": {**mcp.meta_of(result), META: label}}

    async def _approved(self, hold_id: str, request: Request, tell: Tell | None) -> bool:
        """Waits, and lets the client know that it does where it asked to."""
        token = mcp.meta_of(request.params).get("progressToken")
        left, waited = self._server.settings.wait_seconds, 0.0
        while left > 0:
            step = min(left, _PROGRESS_SECONDS)
            hold = await self._server.watch.answered(hold_id, seconds=step)
            if hold.status.value != "pending":
                return await self._server.approved(hold_id, seconds=0)
            left, waited = left - step, waited + step
            if tell is not None and isinstance(token, str | int):
                progress = {"progressToken": token, "progress": waited, "message": "Waiting for approval."}
                await tell(mcp.write_notification("notifications/progress", progress))
        return False


def _code(judged: Judged) -> str:
    return judged.decision.reasons[0].code.value if judged.decision is not None else ""


def _unrecorded(action_id: str) -> Refusal:
    message = "The tool ran; its outcome could not be recorded, so its result is not shown."
    return Refusal("store_unavailable", message, action_id=action_id)
