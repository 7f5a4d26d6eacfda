"""Asking people: where holds and grants are kept, and how somebody is told of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from clearance.core.events import Approved, Expired, Parked, Refused, Spent, Stale, Unavailable
from clearance.core.mediation import Mediation
from clearance.core.model import ActionCall, Grant, Hold, HoldStatus, Principal


class HoldQuery(Struct, frozen=True, kw_only=True):
    """Which holds to list, newest first. Empty fields do not filter. `before` pages: made earlier."""

    status: HoldStatus | None = None
    agent: str = ""
    run_id: str = ""
    before: datetime | None = None
    limit: int = 50


class HoldStore(Protocol):
    """Stored mediations that wait for a person. A change rests on the version it read, or it is refused."""

    def revision(self) -> int:
        """Grows with every change of any hold, by any process. Cheap."""

    def add_hold(self, hold: Hold) -> None:
        """Raises ConflictError when the id is taken."""

    def hold(self, hold_id: str) -> Hold | None: ...

    def holds(self, query: HoldQuery) -> list[Hold]: ...

    def open_hold(self, agent: str, run_id: str, call_hash: str) -> Hold | None:
        """The newest open one for the same call in the same run. Costs the same however many there are."""

    def overdue_holds(self, at: datetime, *, limit: int = 200) -> list[Hold]:
        """Open ones whose time is over, oldest first."""

    def swap_hold(self, hold: Hold) -> bool:
        """Store the next state if the stored version is `hold.version - 1`; False when it no longer is.

        Of any number of callers with the same version, in any number of processes, one is told True.
        """


class GrantStore(Protocol):
    """Yeses in advance. Using and revoking are safe between processes."""

    def revision(self) -> int:
        """Grows with every grant made or revoked (not with uses), by any process. Cheap."""

    def add_grant(self, grant: Grant) -> None: ...

    def grant(self, grant_id: str) -> Grant | None: ...

    def grants(self, *, agent: str = "", valid_at: datetime | None = None, limit: int = 1_000) -> list[Grant]:
        """Newest first; with `valid_at` only those that allow one more then."""

    def matching_grants(self, agent: str, tool: str, at: datetime) -> list[Grant]:
        """The valid ones for this agent and tool, oldest first. By an index: 100,000 others cost nothing."""

    def use_grants(self, grant_ids: tuple[str, ...], at: datetime) -> bool:
        """Count one use of each, all or none. False when one of them allows no more."""

    def revoke_grant(self, grant_id: str, *, by: str, at: datetime) -> Grant:
        """Raises NotFoundError. Revoking twice keeps the first."""


class Approvals(Protocol):
    """What the machine's AskApproval is answered by: what people and grants have said by now."""

    def ask(
        self, mediation: Mediation
    ) -> Approved | Refused | Expired | Stale | Spent | Parked | Unavailable:
        """Never waits for a person: what nobody has answered yet is parked, and taken up by asking again."""

    def leave(self, mediation: Mediation) -> bool:
        """Close the hold of an action that goes on, or ends, without the yes it waited for.

        False when it was not open any more: somebody else took it, and the action must not run again.
        """

    def may_continue(self, call: ActionCall) -> bool:
        """Whether `continuing` has anything to look for. Cheap: asked before every action."""

    def continuing(self, call: ActionCall, principal: Principal, run_id: str) -> Hold | None:
        """The hold that this call takes up. Raises NotFoundError and ForbiddenError for one it names."""

    def objection(self, hold: Hold, call_hash: str) -> Refused | Expired | Stale | Spent | None:
        """Why a call cannot take up this hold; None when it can."""


class Notice(Struct, frozen=True, kw_only=True):
    """Something to tell people: a hold that waits or has ended, a brake, a broken glass. Redacted.

    `kind` is `hold_opened`, `hold_closed`, `brake_set`, `brake_lifted`, `glass_broken` or `glass_ended`.
    """

    notice_id: str
    kind: str
    at: datetime
    body: dict[str, Any]


class Outbox(Protocol):
    """Notices on their way. One that was added outlives the process, and is sent at least once."""

    def add_notice(self, notice: Notice, *, to: str) -> None:
        """Once for each receiver, by the receiver's configured name."""

    def claim_notices(
        self, at: datetime, *, until: datetime, limit: int = 100
    ) -> list[tuple[str, int, Notice]]:
        """(receiver, attempts so far, notice) of what is to be sent by now, oldest first.

        Atomic between processes: nobody else is given them before `until`. What whoever claimed them has
        neither sent nor put off by then is due again.
        """

    def notice_sent(self, notice_id: str, *, to: str) -> None: ...

    def notice_failed(self, notice_id: str, *, to: str, again_at: datetime | None) -> None:
        """Try again then; None gives up, and keeps it as failed."""


class Notifier(Protocol):
    """Sends notices to one receiver. The in-memory twin keeps them."""

    @property
    def name(self) -> str: ...

    def send(self, notice: Notice) -> None:
        """Raises SystemUnavailableError when it was not taken."""

    def close(self) -> None: ...
