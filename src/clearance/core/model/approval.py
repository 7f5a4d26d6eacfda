"""Holds and grants: what was shown to whom, who said what, and what was allowed in advance."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from clearance.core.model.action import Operation
from clearance.core.model.decision import Reason
from clearance.core.model.principal import Actor
from clearance.core.model.radius import Radius
from clearance.core.model.resource import Resource
from clearance.core.model.roles import Role


class HoldStatus(StrEnum):
    """PENDING and APPROVED are open; the others are final. VOID: what was asked no longer holds."""

    PENDING = "pending"
    APPROVED = "approved"
    TAKEN = "taken"  # approved, and the action went on: an approval is good for one
    DENIED = "denied"
    EXPIRED = "expired"
    VOID = "void"


class Requirement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one policy asks: `count` different people of this role (and team, where given) say yes.

    With `four_eyes` nobody for whom the agent acts, and not the agent's owner, may be one of them.
    """

    policy: str
    message: str = ""
    role: Role = Role.APPROVER
    team: str = ""
    count: int = 1
    four_eyes: bool = True


class AnswerKind(StrEnum):
    """A yes or a no."""

    APPROVE = "approve"
    DENY = "deny"


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one person said. `policy` is the requirement that it counts for; `grant_id`: said in advance."""

    by: str
    at: datetime
    kind: AnswerKind
    policy: str = ""
    reason: str = ""
    grant_id: str = ""


class Shown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Exactly what an approver sees, redacted as for storage. Its hash is what an answer names."""

    agent: str
    on_behalf_of: tuple[Actor, ...] = ()
    team: str = ""
    owner: str = ""
    goal: str = ""
    run_id: str
    steps_before: int = 0  # records of the run so far; read them with `clearance trace RUN`
    tool: str
    operation: Operation
    arguments: Any = None
    resources: tuple[Resource, ...] = ()
    facts: dict[str, Any] = {}
    radius: tuple[Radius, ...] = ()
    reasons: tuple[Reason, ...] = ()
    door: str = ""


class Hold(Struct, frozen=True, kw_only=True):
    """A stored mediation that waits for a person. `hold_id` names its action: `hold_x` of `act_x`.

    `call_hash` is of what will run, `shown_hash` of what was shown, `binding` of both with the policies'
    version and the targets' fingerprints. `mediation` is the machine's state as JSON, redacted for storage.
    `version` counts the changes: a change names the one it rests on.
    """

    hold_id: str
    action_id: str
    run_id: str
    agent: str
    team: str = ""
    status: HoldStatus = HoldStatus.PENDING
    requirements: tuple[Requirement, ...]
    answers: tuple[Answer, ...] = ()
    shown: Shown
    shown_hash: str
    call_hash: str
    policy_version: str
    fingerprints: tuple[str, ...] = ()
    binding: str
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    why: str = ""  # how it was closed, in words
    taken_by: str = ""  # the journal node that took it up
    mediation: msgspec.Raw = msgspec.Raw(b"{}")
    version: int = 1

    @property
    def is_open(self) -> bool:
        return self.status in (HoldStatus.PENDING, HoldStatus.APPROVED)


class Grant(Struct, frozen=True, kw_only=True):
    """A yes in advance: this agent, this tool, up to so many records, so many times, until then.

    It counts as its maker's yes for each of `policies` (empty: any for which the maker qualifies).
    `resources` are patterns with `*`; empty: any. What cannot be counted never fits `most_records`.
    """

    grant_id: str
    agent: str
    tool: str
    policies: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    most_records: int | None = None
    most_uses: int = 1
    used: int = 0
    by: str
    reason: str = ""
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str = ""

    def is_valid(self, at: datetime) -> bool:
        """Whether it allows one more at that time."""
        return self.revoked_at is None and at < self.expires_at and self.used < self.most_uses
