"""Clear, run once, record how it ended: the one path of every guarded call, sync and async."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from clearance.core.model import (
    ActionCall,
    CheckResult,
    Inspect,
    Judged,
    Limit,
    ObligationKind,
    OutcomeReport,
    OutcomeStatus,
    ReasonCode,
)
from clearance.errors import ClearanceError, PolicyViolationError
from clearance.sdk.backend import Backend
from clearance.sdk.braked import STOPPED, Braked
from clearance.sdk.current import current_action
from clearance.sdk.holding import acleared_by_people, cleared_by_people
from clearance.sdk.unreachable import UNANSWERED, OnUnreachable, let_through

T = TypeVar("T")
HONOURS = (ObligationKind.TRANSFORM, ObligationKind.LIMIT, ObligationKind.INSPECT)

_LOG = logging.getLogger("clearance")


def clear(backend: Backend, call: ActionCall, on_unreachable: OnUnreachable) -> CheckResult:
    """Raises ClearanceError; then the action must not run."""
    try:
        return backend.clear(call)
    except UNANSWERED:
        if on_unreachable is OnUnreachable.ALLOW:
            return let_through(call)
        raise


async def aclear(backend: Backend, call: ActionCall, on_unreachable: OnUnreachable) -> CheckResult:
    """The same, for an event loop."""
    try:
        return await backend.aclear(call)
    except UNANSWERED:
        if on_unreachable is OnUnreachable.ALLOW:
            return let_through(call)
        raise


def perform(
    backend: Backend,
    call: ActionCall,
    execute: Callable[[dict[str, Any]], T],
    on_unreachable: OnUnreachable,
    *,
    wait_seconds: float | None = None,
) -> T:
    """Clear the call, run `execute` with its arguments, record the outcome, return the result.

    A call that is held waits for so long; None means, as the client is set. Raises ApprovalRequiredError when
    it is still held then, PolicyViolationError when it was refused, and whatever `execute` raises.
    """
    seconds = backend.wait_for_approval_seconds if wait_seconds is None else wait_seconds
    result = cleared_by_people(
        call, lambda one: clear(backend, one, on_unreachable), backend.wait_hold, seconds=seconds
    )
    result.raise_if_blocked()
    limits = _limits(result)
    if any(limit.timeout_seconds is not None for limit in limits):
        _report(backend, result, OutcomeStatus.FAILED, error="not run: a plain function cannot be timed out")
        raise PolicyViolationError(
            "The policy sets a time limit, which only an async function can keep; nothing was run.",
            reason_code="obligation_not_supported",
            action_id=result.action_id,
        )
    token = current_action.set((backend, call))
    try:
        value = execute(_arguments(call, result))
    except BaseException as error:
        _report(backend, result, OutcomeStatus.FAILED, error=_described(error))
        raise
    finally:
        current_action.reset(token)
    return cast(T, _cut(_shown(backend, result, value), limits))


async def aperform(
    backend: Backend,
    call: ActionCall,
    execute: Callable[[dict[str, Any]], Awaitable[T]],
    on_unreachable: OnUnreachable,
    *,
    wait_seconds: float | None = None,
) -> T:
    """The same, for an event loop; here a time limit is kept."""
    seconds = backend.wait_for_approval_seconds if wait_seconds is None else wait_seconds
    result = await acleared_by_people(
        call, lambda one: aclear(backend, one, on_unreachable), backend.await_hold, seconds=seconds
    )
    result.raise_if_blocked()
    limits = _limits(result)
    bounds = [limit.timeout_seconds for limit in limits if limit.timeout_seconds is not None]
    braked = Braked(backend, call, result.action_id)
    token = current_action.set((backend, call))
    try:
        async with asyncio.timeout(min(bounds, default=None)), braked:
            value = await execute(_arguments(call, result))
    except BaseException as error:
        described = STOPPED if braked.was_stopped else _described(error)
        await _areport(backend, result, OutcomeStatus.FAILED, error=described)
        raise
    finally:
        current_action.reset(token)
    return cast(T, _cut(await _ashown(backend, result, value), limits))


def _arguments(call: ActionCall, result: CheckResult) -> dict[str, Any]:
    return call.arguments if result.arguments is None else result.arguments


def _limits(result: CheckResult) -> list[Limit]:
    return [owed for owed in result.obligations if isinstance(owed, Limit)]


def _cut(value: Any, limits: list[Limit]) -> Any:
    for limit in limits:
        if limit.result_items is not None and isinstance(value, list | tuple):
            value = value[: limit.result_items]
        if limit.result_bytes is not None and isinstance(value, bytes):
            value = value[: limit.result_bytes]
        if limit.result_bytes is not None and isinstance(value, str):
            value = value.encode()[: limit.result_bytes].decode("utf-8", "ignore")
    return value


def _shown(backend: Backend, result: CheckResult, value: Any) -> Any:
    """Recorded, and what of it the caller may have."""
    if not _is_inspected(result):
        _report(backend, result, OutcomeStatus.SUCCEEDED, value=value)
        return value
    try:
        return _let_out(result, backend.inspect(result.action_id, value))
    except ClearanceError as failure:
        raise _withheld(result, failure) from failure


async def _ashown(backend: Backend, result: CheckResult, value: Any) -> Any:
    if not _is_inspected(result):
        await _areport(backend, result, OutcomeStatus.SUCCEEDED, value=value)
        return value
    try:
        judged = await asyncio.shield(backend.ainspect(result.action_id, value))
        return _let_out(result, judged)
    except ClearanceError as failure:
        raise _withheld(result, failure) from failure


def _is_inspected(result: CheckResult) -> bool:
    return any(isinstance(owed, Inspect) for owed in result.obligations)


def _let_out(result: CheckResult, judged: Judged) -> Any:
    if not judged.withheld:
        return judged.value
    raise PolicyViolationError(judged.reason, reason_code=judged.reason_code, action_id=result.action_id)


def _withheld(result: CheckResult, failure: ClearanceError) -> ClearanceError:
    """Whatever cannot be judged is not shown."""
    if isinstance(failure, PolicyViolationError):
        return failure
    _say_unrecorded(result, failure)
    return PolicyViolationError(
        "The action ran. Whether its result may be shown could not be asked, so it is withheld.",
        reason_code=ReasonCode.RESULT_WITHHELD.value,
        action_id=result.action_id,
    )


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _report(
    backend: Backend, result: CheckResult, status: OutcomeStatus, *, value: Any = None, error: str = ""
) -> None:
    """The action has run: a report that fails must not make its caller run it again."""
    if not result.action_id:
        return
    try:
        backend.report(result.action_id, OutcomeReport(status=status, result=value, error=error))
    except ClearanceError as failure:
        _say_unrecorded(result, failure)


async def _areport(
    backend: Backend, result: CheckResult, status: OutcomeStatus, *, value: Any = None, error: str = ""
) -> None:
    if not result.action_id:
        return
    report = OutcomeReport(status=status, result=value, error=error)
    try:
        await asyncio.shield(backend.areport(result.action_id, report))
    except ClearanceError as failure:
        _say_unrecorded(result, failure)


def _say_unrecorded(result: CheckResult, failure: ClearanceError) -> None:
    _LOG.error(
        "the outcome of action %s was not recorded (%s); its trace will say unknown",
        result.action_id,
        failure.code,
    )
