"""A call that is held: wait for the people who are asked, then send it again. The one place for that."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from clearance.core.model import ActionCall, CheckResult, HoldStatus, HoldView
from clearance.errors import RequestError

Send = Callable[[ActionCall], CheckResult]
Wait = Callable[[str, float], HoldView]
AsyncSend = Callable[[ActionCall], Awaitable[CheckResult]]
AsyncWait = Callable[[str, float], Awaitable[HoldView]]


def cleared_by_people(call: ActionCall, send: Send, wait: Wait, *, seconds: float) -> CheckResult:
    """Send the call, and again when somebody has answered, for at most so long. Raises ClearanceError."""
    ends = time.monotonic() + seconds
    result = send(call)
    while (left := ends - time.monotonic()) > 0 and _is_held(result):
        hold = wait(result.hold_id, left)
        if hold.status is HoldStatus.PENDING:
            break
        before, result = result, send(_again(call, result))
        if result.hold_id == before.hold_id:
            break  # decided: waiting for it once more would go round and round
    return result


async def acleared_by_people(
    call: ActionCall, send: AsyncSend, wait: AsyncWait, *, seconds: float
) -> CheckResult:
    """The same, for an event loop."""
    ends = time.monotonic() + seconds
    result = await send(call)
    while (left := ends - time.monotonic()) > 0 and _is_held(result):
        hold = await wait(result.hold_id, left)
        if hold.status is HoldStatus.PENDING:
            break
        before, result = result, await send(_again(call, result))
        if result.hold_id == before.hold_id:
            break
    return result


def checked_seconds(seconds: float | None) -> float | None:
    """Raises RequestError for a time that is none. None stays: as the client is set."""
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise RequestError("`wait_for_approval_seconds` is a number of seconds.", reason="wrong_value")
    return seconds


def _is_held(result: CheckResult) -> bool:
    return result.blocked and result.reason_code == _HELD and bool(result.hold_id)


def _again(call: ActionCall, result: CheckResult) -> ActionCall:
    """The same call, which takes up its hold."""
    return replace(call, hold_id=result.hold_id, run_id=result.run_id)


_HELD = "approval_required"
