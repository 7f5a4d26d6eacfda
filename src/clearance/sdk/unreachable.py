"""What happens when the control point does not answer: nothing runs, but for reads that were named so."""

from __future__ import annotations

from enum import StrEnum

from clearance.core.model import ActionCall, CheckResult, Effect, Operation, Reason, ReasonCode
from clearance.errors import ProtocolError, UnreachableError

UNANSWERED = (UnreachableError, ProtocolError)


class OnUnreachable(StrEnum):
    """REFUSE is the default everywhere."""

    REFUSE = "refuse"
    ALLOW = "allow"


def checked(choice: str, operation: Operation | None) -> OnUnreachable:
    """The choice, if it may be made. Raises ValueError for ALLOW on anything but a declared read."""
    chosen = OnUnreachable(choice)
    if chosen is OnUnreachable.ALLOW and operation is not Operation.READ:
        raise ValueError(
            'on_unreachable="allow" is for reads only: declare operation="read", or leave it out.'
        )
    return chosen


def let_through(call: ActionCall) -> CheckResult:
    """The answer for a named read while nobody answers. It has no action id: nothing was recorded."""
    message = "The control point did not answer; this read was named as allowed without it."
    return CheckResult(
        action_id="",
        run_id=call.run_id,
        effect=Effect.ALLOW,
        reasons=(Reason(code=ReasonCode.CONTROL_POINT_UNREACHABLE, message=message),),
    )
