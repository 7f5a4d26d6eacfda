"""What crosses a wire between a caller and the control point: one form, used by both ends."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from clearance.core.model.action import Operation
from clearance.core.model.decision import Effect, Reason, ReasonCode
from clearance.core.model.obligation import Obligation, ObligationKind
from clearance.core.model.radius import Radius
from clearance.core.model.record import OutcomeStatus
from clearance.core.model.resource import Environment
from clearance.errors import ApprovalRequiredError, PolicyViolationError

ActionName = Annotated[str, Meta(min_length=1, max_length=256, description="A verb, or a tool's name.")]
Name = Annotated[str, Meta(max_length=128, pattern=r"^[\w.@:/+-]*$")]
Text = Annotated[str, Meta(max_length=65_536)]
ResourceName = Annotated[str, Meta(max_length=4_096)]


class ActionCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One action put before the control point.

    `action` is a verb (`update`) or a tool's name (`send_email`). `arguments` are the tool's, chosen by the
    agent and so never believed as facts. `payload` is the calling program's own description of the action:
    its numbers count as facts (`record_count`), and it stands in for `arguments` where there are none.
    `hold_id` takes up an action that was held: the same call again, in the same run, under the same id.
    """

    action: ActionName
    resource: ResourceName | tuple[ResourceName, ...] = ()
    arguments: dict[str, Any] = {}
    payload: dict[str, Any] = {}
    facts: dict[str, bool | int | float | str | None] = {}
    operation: Operation | None = None
    environment: Environment | None = None
    agent: Name = ""
    run_id: Name = ""
    goal: Text = ""
    parent_id: Name = ""
    honours: tuple[ObligationKind, ...] = ()
    hold_id: Name = ""


class CheckResult(Struct, frozen=True, kw_only=True):
    """The control point's answer to one action.

    `arguments` is set where a policy redacted them: the action may run with these values only. `radius` is
    what was counted on the real systems; `snapshot_id`, where state was saved first, is for `rollback`.
    `hold_id` is set where people are asked: send the same call again with it once they have answered.

    >>> CheckResult(action_id="a", run_id="r", effect=Effect.DENY, reasons=()).blocked
    True
    """

    action_id: str
    run_id: str
    effect: Effect
    reasons: tuple[Reason, ...]
    obligations: tuple[Obligation, ...] = ()
    arguments: dict[str, Any] | None = None
    policy_version: str = ""
    radius: tuple[Radius, ...] = ()
    snapshot_id: str = ""
    hold_id: str = ""
    hold_expires_at: datetime | None = None

    @property
    def allowed(self) -> bool:
        return self.effect is Effect.ALLOW

    @property
    def blocked(self) -> bool:
        return self.effect is not Effect.ALLOW

    @property
    def reason(self) -> str:
        """The sentence that decided, for people and for the agent."""
        return self.reasons[0].message if self.reasons else ""

    @property
    def reason_code(self) -> str:
        return self.reasons[0].code.value if self.reasons else ""

    def raise_if_blocked(self) -> None:
        """Raises ApprovalRequiredError where people are asked, PolicyViolationError where it was refused."""
        if not self.blocked:
            return
        if self.hold_id and self.reason_code == ReasonCode.APPROVAL_REQUIRED:
            raise ApprovalRequiredError(self.reason, action_id=self.action_id, hold_id=self.hold_id)
        raise PolicyViolationError(self.reason, reason_code=self.reason_code, action_id=self.action_id)


class ResultShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a reported result may be shown: `value` in its place, or nothing where it is `withheld`."""

    value: Any = None
    redacted: tuple[str, ...] = ()
    withheld: bool = False
    reason: str = ""
    reason_code: str = ""


class OutcomeReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a cleared action ended, told by whoever ran it. `result` is any JSON value."""

    status: OutcomeStatus
    result: Any = None
    error: Text = ""
