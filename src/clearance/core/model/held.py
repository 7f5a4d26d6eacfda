"""A hold as it crosses a wire: what was asked, who has to answer and who has; not the machine inside."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from msgspec import Struct

from clearance.core.model.approval import Answer, AnswerKind, Hold, HoldStatus, Requirement, Shown


class HoldView(Struct, frozen=True, kw_only=True):
    """One held action. An answer names `shown_hash`: the hash of `shown`, all that an approver goes by."""

    hold_id: str
    action_id: str
    run_id: str
    agent: str
    team: str = ""
    status: HoldStatus
    requirements: tuple[Requirement, ...]
    answers: tuple[Answer, ...] = ()
    shown: Shown
    shown_hash: str
    policy_version: str = ""
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    why: str = ""
    version: int = 1

    @classmethod
    def of(cls, hold: Hold) -> Self:
        """The same hold, without what only the runtime needs."""
        return cls(**{name: getattr(hold, name) for name in cls.__struct_fields__})

    @property
    def is_open(self) -> bool:
        """Whether anything can still change: nobody has answered, or the approval was not taken yet."""
        return self.status in (HoldStatus.PENDING, HoldStatus.APPROVED)

    def yeses(self, requirement: Requirement) -> tuple[str, ...]:
        """Who has said yes to this requirement."""
        return tuple(
            answer.by
            for answer in self.answers
            if answer.kind is AnswerKind.APPROVE and answer.policy == requirement.policy
        )
