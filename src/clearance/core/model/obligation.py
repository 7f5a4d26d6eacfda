"""What makes a decision valid: duties that must be honoured, or the action is refused."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from clearance.core.model.roles import Role


class ObligationKind(StrEnum):
    """APPROVAL, SNAPSHOT and NOTIFY are the runtime's to honour; TRANSFORM, LIMIT and INSPECT the door's."""

    APPROVAL = "approval"
    SNAPSHOT = "snapshot"
    TRANSFORM = "transform"
    NOTIFY = "notify"
    LIMIT = "limit"
    INSPECT = "inspect"


class Approval(Struct, frozen=True, kw_only=True, tag="approval"):
    """People must say yes before the action runs: `count` different ones of `role`, and of `team` if given.

    With `four_eyes` it is nobody for whom the agent acts, nor the agent's owner. Not answered within
    `expires_seconds` is a no. Two of these need two approvals.
    """

    policy: str
    message: str = ""
    role: Role = Role.APPROVER
    team: str = ""
    count: int = 1
    four_eyes: bool = True
    expires_seconds: float = 3600.0


class Snapshot(Struct, frozen=True, kw_only=True, tag="snapshot"):
    """The state of what the action touches must be saved before it runs."""

    policy: str


class Transform(Struct, frozen=True, kw_only=True, tag="transform"):
    """The action runs with values taken out of its arguments, or not at all.

    `paths` are argument paths (`customer.email`, `items.*.note`) replaced whole; `patterns` are names from
    `patterns.NAMED`, replaced wherever they stand. Applied by `redact.transformed`. With `restore`, what
    patterns found is put back into the answer: a placeholder stands for each value meanwhile.
    """

    policy: str
    paths: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    restore: bool = False


class Notify(Struct, frozen=True, kw_only=True, tag="notify"):
    """Somebody is told. Never holds up the action."""

    policy: str
    message: str


class Limit(Struct, frozen=True, kw_only=True, tag="limit"):
    """The action runs within these bounds, or its result is cut to them. None means: no such bound."""

    policy: str
    timeout_seconds: float | None = None
    result_items: int | None = None
    result_bytes: int | None = None


class Inspect(Struct, frozen=True, kw_only=True, tag="inspect"):
    """The door shows the result only as it was judged: a policy that looks at results may be about it."""

    policy: str


Obligation = Approval | Snapshot | Transform | Notify | Limit | Inspect

KIND_OF: dict[type, ObligationKind] = {
    Approval: ObligationKind.APPROVAL,
    Snapshot: ObligationKind.SNAPSHOT,
    Transform: ObligationKind.TRANSFORM,
    Notify: ObligationKind.NOTIFY,
    Limit: ObligationKind.LIMIT,
    Inspect: ObligationKind.INSPECT,
}
