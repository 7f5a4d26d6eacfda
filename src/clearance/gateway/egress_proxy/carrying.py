"""The life of one egress action around whatever carries it out: cleared, watched, told. Once each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from clearance.core.model import ActionCall, CheckResult, Judged, OutcomeReport, OutcomeStatus
from clearance.errors import ClearanceError, RequestError
from clearance.gateway.egress_proxy.asking import Asker
from clearance.gateway.egress_proxy.watch import Watch
from clearance.gateway.ending import StoppingError
from clearance.gateway.passage import Passage
from clearance.gateway.upstream import UpstreamError

DOOR = "egress_proxy"


class RefusedError(ClearanceError):
    """The action was not cleared; `result` says why."""

    code = "policy_violation"

    def __init__(self, result: CheckResult) -> None:
        self.result = result
        super().__init__(result.reason)


class Measured:
    """What one action moved, filled in while it runs; told with its outcome.

    `has_begun` once something of the answer was passed on: then nothing else can be answered.
    """

    __slots__ = (
        "_since", "action_id", "address", "error", "has_begun", "judged", "received", "sent", "status", "told"
    )  # fmt: skip

    def __init__(self, action_id: str) -> None:
        self._since = time.monotonic()
        self.action_id = action_id
        self.address = ""
        self.status = 0
        self.sent = 0
        self.received = 0
        self.error = ""
        self.has_begun = False
        self.judged: Judged | None = None
        self.told = False

    def report(self) -> OutcomeReport:
        found: dict[str, Any] = {
            "address": self.address,
            "bytes_sent": self.sent,
            "bytes_received": self.received,
            "seconds": round(time.monotonic() - self._since, 3),
        }
        if self.status:
            found["status"] = self.status
        failed = self.error or (f"HTTP {self.status}" if self.status >= 400 else "")
        status = OutcomeStatus.FAILED if failed else OutcomeStatus.SUCCEEDED
        return OutcomeReport(status=status, result=found, error=failed)


class Carrying:
    """Shared by all connections of a door."""

    def __init__(self, passage: Passage, watch: Watch) -> None:
        self.passage = passage
        self._watch = watch

    async def out(
        self,
        call: ActionCall,
        asker: Asker,
        act: Callable[[CheckResult, Measured], Awaitable[None]],
    ) -> None:
        """Clear it, do it, tell how it ended. Raises RefusedError, what `act` raises, StoreError."""
        result = await self.passage.clear(call, asker.principal, door=DOOR)
        if not result.allowed:
            raise RefusedError(result)
        measured, running = Measured(result.action_id), self._watch.begin(call, asker.principal)
        self.passage.metrics.opened(DOOR)
        try:
            await act(result, measured)
        except asyncio.CancelledError:
            measured.error = running.stopped or "The server stopped."
            await self.tell(measured)
            if self._watch.is_over and not measured.has_begun and running.task.uncancel() == 0:
                raise StoppingError from None
            raise
        except Exception as error:
            measured.error = _kind_of(error)
            await self.tell(measured)
            if measured.has_begun:
                raise ConnectionAbortedError("cut in the middle of an answer") from error
            raise
        else:
            await self.tell(measured)
        finally:
            self._watch.end(running)
            self._count(measured)

    def _count(self, measured: Measured) -> None:
        metrics = self.passage.metrics
        metrics.closed(DOOR)
        metrics.passed(DOOR, "sent", count=measured.sent)
        metrics.passed(DOOR, "received", count=measured.received)

    async def tell(self, measured: Measured) -> None:
        """Before the agent sees the end of it; whoever comes second has nothing to add."""
        if not measured.told:
            measured.told = True
            await self.passage.told(measured.action_id, measured.report(), judged=measured.judged)


def _kind_of(error: Exception) -> str:
    """A stable code; a message may hold what was sent."""
    return error.reason if isinstance(error, RequestError | UpstreamError) else type(error).__name__
