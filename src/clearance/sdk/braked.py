"""An async action that ends when the brake is pulled, and how a sync one may ask."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from clearance.core.model import ActionCall, Reason
from clearance.errors import PolicyViolationError, RequestError
from clearance.sdk.backend import Backend
from clearance.sdk.current import current_action
from clearance.sdk.in_flight import Running

STOPPED = "stopped by the brake"


class Braked:
    """`async with`: the block's task is cancelled when its agent, team or tool is stopped.

    Leaving it then raises PolicyViolationError. As `asyncio.timeout` does, it keeps apart its own
    cancellation and anybody else's.
    """

    def __init__(self, backend: Backend, call: ActionCall, action_id: str) -> None:
        self._backend = backend
        self._call = call
        self._action_id = action_id
        self._is_over = False
        self._cancelled = 0
        self._reason: Reason | None = None

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._loop = task, asyncio.get_running_loop()
        self._running: Running = self._backend.in_flight.begin(self._call, self._told)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        self._backend.in_flight.end(self._running)
        if self._reason is None:
            return
        is_ours = self._task.uncancel() <= self._cancelled
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise stopped(self._reason, self._action_id) from error

    @property
    def was_stopped(self) -> bool:
        return self._reason is not None

    def _told(self, reason: Reason) -> None:
        """Called by the watching thread."""
        self._loop.call_soon_threadsafe(self._cancel, reason)

    def _cancel(self, reason: Reason) -> None:
        if not self._is_over:
            self._reason, self._cancelled = reason, self._task.cancelling()
            self._task.cancel(STOPPED)


def stopped(reason: Reason, action_id: str = "") -> PolicyViolationError:
    """What the caller of a stopped action sees."""
    return PolicyViolationError(reason.message, reason_code=reason.code.value, action_id=action_id)


def brake_is_on() -> bool:
    """Whether the guarded call that this code is part of was stopped meanwhile: for long loops.

    A plain function cannot be stopped from outside. Raises RequestError outside a guarded call.
    """
    acting = current_action.get()
    if acting is None:
        raise RequestError("Ask this within a guarded call.", reason="wrong_value")
    backend, call = acting
    return backend.stopping(call) is not None


def check_brake(backend: Backend, call: ActionCall) -> None:
    """Raises PolicyViolationError when whoever acts, or the tool, is stopped."""
    reason = backend.stopping(call)
    if reason is not None:
        raise stopped(reason)
