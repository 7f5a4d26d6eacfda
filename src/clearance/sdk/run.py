"""One agent task: `with client.run(goal=..., agent=...) as run`. Everything in it lands in one trace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import Token
from types import TracebackType
from typing import Any, Self, TypeVar

from clearance.core.model import ActionCall, CheckResult, Environment, Operation, OutcomeStatus
from clearance.errors import ClearanceError
from clearance.sdk.backend import Backend
from clearance.sdk.braked import check_brake
from clearance.sdk.call import action_call
from clearance.sdk.current import current_action, current_run
from clearance.sdk.perform import HONOURS, aperform, perform
from clearance.sdk.unreachable import OnUnreachable

T = TypeVar("T")


class Run:
    """Made by `Client.run`. `run_id` is set once the run has been entered.

    Leaving the block ends the run: as failed when an exception leaves with it. With a `run_id` it is a run
    that was begun before, by this process or another; it ends when this block does, unless it is `borrowed`.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        agent: str,
        goal: str = "",
        environment: Environment | None = None,
        run_id: str = "",
        borrowed: bool = False,
    ) -> None:
        self.agent = agent
        self.goal = goal
        self.run_id = run_id
        self.environment = environment
        self.backend = backend
        self._borrowed = borrowed
        self._token: Token[Run | None] | None = None

    def __enter__(self) -> Self:
        if self.run_id:
            self._joined(self.backend.join_run(self.run_id, agent=self.agent))
        else:
            parent = self._parent()
            self.run_id = self.backend.start_run(agent=self.agent, goal=self.goal, parent_run_id=parent)
        self._token = current_run.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if self._borrowed:
            return
        with _not_hiding(error):
            self.backend.end_run(self.run_id, status=_status(error), error=_text(error))

    async def __aenter__(self) -> Self:
        if self.run_id:
            goal = await self.backend.ajoin_run(self.run_id, agent=self.agent)
            await asyncio.to_thread(self._joined, goal)
        else:
            parent = self._parent()
            self.run_id = await self.backend.astart_run(
                agent=self.agent, goal=self.goal, parent_run_id=parent
            )
        self._token = current_run.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if self._borrowed:
            return
        with _not_hiding(error):
            await self.backend.aend_run(self.run_id, status=_status(error), error=_text(error))

    def check(self, action: str, resource: str | Sequence[str] = (), **details: Any) -> CheckResult:
        """`Client.check` within this run."""
        return self.backend.clear(self.describe(action, resource, **details))

    async def acheck(self, action: str, resource: str | Sequence[str] = (), **details: Any) -> CheckResult:
        """`Client.acheck` within this run."""
        return await self.backend.aclear(self.describe(action, resource, **details))

    def call(self, tool: str, execute: Callable[..., T], arguments: Mapping[str, Any], **details: Any) -> T:
        """Clear one tool call, run `execute(**arguments)`, record how it ended, return its result.

        For frameworks that hold a tool's name, function and arguments apart; otherwise use `@guard`.
        Raises ApprovalRequiredError when it is held (send the same again with its `hold_id`),
        PolicyViolationError when it was refused, and whatever `execute` raises.
        """
        call = self.describe(tool, arguments=dict(arguments), honours=HONOURS, **details)
        return perform(self.backend, call, lambda values: execute(**values), OnUnreachable.REFUSE)

    async def acall(
        self, tool: str, execute: Callable[..., Awaitable[T]], arguments: Mapping[str, Any], **details: Any
    ) -> T:
        """The same for an async `execute`."""
        call = self.describe(tool, arguments=dict(arguments), honours=HONOURS, **details)
        return await aperform(self.backend, call, lambda values: execute(**values), OnUnreachable.REFUSE)

    def model_call(self, model: str, execute: Callable[..., T], messages: Sequence[Any], **details: Any) -> T:
        """Clear one model call, run `execute(messages=..., model=...)`, record the answer, return it."""
        arguments = {"model": model, "messages": list(messages)}
        return self.call("model_call", execute, arguments, operation=Operation.MODEL_CALL, **details)

    def check_brake(self) -> None:
        """Raises PolicyViolationError when the agent is stopped; for long loops in a plain function."""
        acting = current_action.get()
        check_brake(self.backend, acting[1] if acting else self.describe("unknown"))

    def note(self, text: str) -> None:
        """Put a remark into the trace: a plan, a next step, a hand-over."""
        self.backend.note(self.run_id, text)

    def describe(self, action: str, resource: str | Sequence[str] = (), **details: Any) -> ActionCall:
        """One action of this run, in the form that crosses the wire."""
        whose = {"agent": self.agent, "run_id": self.run_id, "environment": self.environment}
        return action_call(action, resource, **{**whose, **details})

    @staticmethod
    def _parent() -> str:
        outer = current_run.get()
        return outer.run_id if outer is not None else ""

    def _joined(self, goal: str) -> None:
        """A run has one goal: that of a part of a borrowed one becomes a remark."""
        if self._borrowed and self.goal and self.goal != goal:
            self.note(f"goal: {self.goal}")
        self.goal = goal

    def _leave(self) -> None:
        if self._token is not None:
            current_run.reset(self._token)
            self._token = None


def _not_hiding(error: BaseException | None) -> AbstractContextManager[None]:
    """What left the block matters more than a run that could not be closed."""
    return nullcontext() if error is None else suppress(ClearanceError)


def _status(error: BaseException | None) -> OutcomeStatus:
    return OutcomeStatus.SUCCEEDED if error is None else OutcomeStatus.FAILED


def _text(error: BaseException | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"
