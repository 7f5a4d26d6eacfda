"""Holds: the machine's `Approvals`, and what people do with them. What counts is decided in `core.holds`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from clearance.core import binding, drafts, holds
from clearance.core.events import Approved, Expired, Parked, Refused, Spent, Stale, Unavailable
from clearance.core.mediation import Mediation
from clearance.core.model import (
    ActionCall,
    AnswerKind,
    Draft,
    Hold,
    HoldStatus,
    Person,
    Principal,
)
from clearance.errors import ApprovalError, ClearanceError, ForbiddenError, NotFoundError
from clearance.ports import HoldQuery, HoldStore, Journal, RecordQuery
from clearance.runtime.grants import Grants
from clearance.runtime.hold_ends import came_too_late, has_ended, left_behind, refusal_of, told_of
from clearance.runtime.mediator import Clock

Tell = Callable[[str, dict[str, Any]], None]
Asked = Approved | Refused | Expired | Stale | Spent | Parked | Unavailable
_TRIES = 16  # each lost swap means that somebody else changed the same hold meanwhile
_POLL_SECONDS = 0.1  # so soon `wait` sees what another process did; this process's own changes at once
_PAGE = 200
_OPEN = (HoldStatus.PENDING, HoldStatus.APPROVED)
_LOG = logging.getLogger("clearance")


class Holds:
    """Thread-safe, and safe between processes on one store: every change is a compare-and-swap.

    What a person says is written to the journal first, then swapped in, then acknowledged. A crash in between
    leaves a record of an answer that had no effect, which nobody was told had one; it never leaves an
    acknowledged answer that is lost, nor one in effect that is not on record. What only closes a hold is
    swapped first: it can let nothing run, and a refusal on record must not be followed by an execution.
    """

    def __init__(
        self,
        store: HoldStore,
        journal: Journal,
        grants: Grants,
        *,
        policy_version: Callable[[], str],
        clock: Clock,
        tell: Tell = lambda kind, body: None,  # noqa: ARG005
    ) -> None:
        self._store = store
        self._journal = journal
        self._grants = grants
        self._policy_version = policy_version
        self._clock = clock
        self._tell = tell
        self._changed = threading.Condition()
        self._answering = threading.Lock()  # two answers here never lose a swap to each other
        self._open_as_of = (-1, False)

    # The machine asks

    def ask(self, mediation: Mediation) -> Asked:
        """Never waits for a person."""
        for _ in range(_TRIES):
            told = self._told(mediation, self._clock())
            if told is not None:
                return told
        return Unavailable(at=self._clock())

    def may_continue(self, call: ActionCall) -> bool:
        """Whether `continuing` has anything to look for. Cheap: no hold is read while none is open."""
        if call.hold_id:
            return True
        if not call.run_id:
            return False
        revision = self._store.revision()
        if self._open_as_of[0] != revision:
            is_any = any(self._store.holds(HoldQuery(status=status, limit=1)) for status in _OPEN)
            self._open_as_of = (revision, is_any)
        return self._open_as_of[1]

    def continuing(self, call: ActionCall, principal: Principal, run_id: str) -> Hold | None:
        """The hold that this call takes up. Raises NotFoundError and ForbiddenError for one it names."""
        if not self.may_continue(call):
            return None
        if not call.hold_id:
            same = binding.call_hash(call, principal)
            found = self._store.open_hold(principal.agent, run_id, same) if same else None
            if (
                found is None
                or self._lapse(found, self._clock()) is not None
                or has_ended(self._journal, found)
            ):
                return None
            return found
        hold = self.hold(call.hold_id)
        if hold.agent != principal.agent:
            raise ForbiddenError("This hold belongs to another agent.")
        return self._lapse(hold, self._clock()) or hold

    def objection(self, hold: Hold, call_hash: str) -> Refused | Expired | Stale | Spent | None:
        """Why a call cannot take up this hold; None when it can."""
        at = self._clock()
        if call_hash != hold.call_hash:
            return Stale(at=at)
        match hold.status:
            case HoldStatus.DENIED:
                return Refused(at=at, by=hold.answers[-1].by)
            case HoldStatus.EXPIRED:
                return Expired(at=at)
            case HoldStatus.VOID:
                return Stale(at=at)
            case HoldStatus.TAKEN if self._journal.is_alive(hold.taken_by):
                return Spent(at=at)
        if has_ended(self._journal, hold):
            return Spent(at=at)
        # Taken by a process that died before its intent was durable: nothing ran, so it may go on in time.
        return Expired(at=at) if at >= hold.expires_at else None

    def leave(self, mediation: Mediation) -> bool:
        """Close the hold of an action that goes on, or ends, without the yes it waited for.

        False when it was not open any more: somebody else took it, and the action must not run again.
        """
        for _ in range(_TRIES):
            hold = self._store.hold(mediation.hold_id)
            if hold is None or not hold.is_open:
                return False
            at = self._clock()
            if self._store.swap_hold(
                closed := holds.closed(hold, HoldStatus.VOID, at=at, why="the action was decided anew")
            ):
                self._record([drafts.approval(closed, at=at)])
                self._announce(closed)
                return True
        return False

    # People ask and answer

    def hold(self, hold_id: str) -> Hold:
        """Raises NotFoundError."""
        hold = self._store.hold(hold_id)
        if hold is None:
            raise NotFoundError("There is no hold of this id.")
        return hold

    def holds(self, query: HoldQuery) -> list[Hold]:
        """Newest first."""
        return self._store.holds(query)

    def answer(
        self, hold_id: str, kind: AnswerKind, *, person: Person, shown_hash: str, reason: str = ""
    ) -> Hold:
        """One person's yes or no, by the hash of what was shown. Raises ApprovalError, NotFoundError."""
        with self._answering:
            for attempt in range(_TRIES):
                hold, at = self.hold(hold_id), self._clock()
                self._raise_if_lapsed(hold, at)
                try:
                    after = holds.answered(
                        hold, kind, person=person, at=at, shown_hash=shown_hash, reason=reason
                    )
                except ApprovalError as error:
                    if attempt:
                        self._record([came_too_late(hold, person, error, at=at)])
                    raise
                self._journal.append([drafts.approval(after, at=at, answer=after.answers[-1])])
                if self._store.swap_hold(after):
                    self._answered(after, at)
                    return after
        raise ApprovalError("Too many answer this at once; try again.", reason="approval_invalid")

    def wait(self, hold_id: str, *, seconds: float) -> Hold:
        """The hold as soon as it is no longer PENDING, or as it is when the time is over. Blocks."""
        until = time.monotonic() + seconds
        while True:
            hold = self.hold(hold_id)
            hold = self._lapse(hold, self._clock()) or hold
            left = until - time.monotonic()
            if hold.status is not HoldStatus.PENDING or left <= 0:
                return hold
            revision = self._store.revision()
            with self._changed:
                if self._store.revision() == revision:
                    self._changed.wait(min(left, _POLL_SECONDS))

    # What ends them otherwise

    def expire(self) -> list[Hold]:
        """Close every open hold whose time is over. For a server's sweep."""
        closed: list[Hold] = []
        while True:
            at = self._clock()
            overdue = self._store.overdue_holds(at, limit=_PAGE)
            done = [hold for one in overdue if (hold := self._lapse(one, at)) is not None]
            closed += done
            if len(overdue) < _PAGE or not done:
                return closed

    def catch_up(self) -> list[Hold]:
        """For a start: record the ends that a process died over, and close what is overdue by now."""
        drafted = left_behind(self._store, self._journal, self._clock())
        if drafted:
            self._record(drafted)
        return self.expire()

    def void_agent(self, agent: str, *, why: str) -> list[Hold]:
        """Close every open hold of an agent: nothing that was approved for it before holds any more."""
        closed: list[Hold] = []
        for status in _OPEN:
            for _ in range(_TRIES):
                found = self._store.holds(HoldQuery(agent=agent, status=status, limit=_PAGE))
                if not found:
                    break
                for hold in found:
                    at = self._clock()
                    void = holds.closed(hold, HoldStatus.VOID, at=at, why=why)
                    closed += self._close(void, Stale(at=at))
        return closed

    # How

    def _told(self, mediation: Mediation, at: datetime) -> Asked | None:
        """What people and grants say of it now; None to look again, because it changed meanwhile."""
        context = mediation.request.context
        if not context.call_hash or mediation.decision is None:
            return Unavailable(
                at=at
            )  # what has no hash cannot be approved: nobody could tell it from another
        if not mediation.hold_id:
            return self._granted(mediation, at) or self._park(mediation, at)
        hold = self._store.hold(mediation.hold_id)
        if hold is None:
            return Stale(at=at)
        refused = self.objection(hold, context.call_hash)
        if refused is not None:
            return refused
        if hold.is_open and at >= hold.expires_at:
            self._lapse(hold, at)
            return Expired(at=at)
        if not holds.fits(hold, mediation):
            return Stale(at=at)
        return self._take(hold, mediation, at)

    def _take(self, hold: Hold, mediation: Mediation, at: datetime) -> Asked | None:
        answers = hold.answers
        if hold.status is HoldStatus.PENDING:
            granted = self._granted(mediation, at)
            if granted is None:
                return Parked(at=at, hold_id=hold.hold_id, expires_at=hold.expires_at)
            answers = granted.by
        if not self._store.swap_hold(holds.taken(hold, node=self._journal.node, at=at, answers=answers)):
            return None
        self._wake()
        return Approved(at=at, by=answers, shown=binding.from_storage(hold.mediation).radii)

    def _granted(self, mediation: Mediation, at: datetime) -> Approved | None:
        assert mediation.decision is not None
        by = self._grants.answers(mediation, holds.requirements(mediation.decision), at=at)
        return Approved(at=at, by=by, shown=mediation.radii) if by else None

    def _park(self, mediation: Mediation, at: datetime) -> Parked:
        newest = self._journal.search(RecordQuery(run_id=mediation.request.context.run_id, limit=1))
        steps_before = newest[0].seq - 1 if newest else 0  # the last one is this action's own HOLD
        hold = holds.opened(mediation, at=at, steps_before=steps_before)
        self._store.add_hold(hold)
        self._announce(hold)
        return Parked(at=at, hold_id=hold.hold_id, expires_at=hold.expires_at)

    def _raise_if_lapsed(self, hold: Hold, at: datetime) -> None:
        if hold.status is not HoldStatus.PENDING:
            return
        closed = self._lapse(hold, at, policy_version=self._policy_version())
        if closed is not None and closed.status is HoldStatus.VOID:
            raise ApprovalError(
                "The policies changed since the action was held; it has to be sent anew.",
                reason="approval_stale",
            )
        if closed is not None and closed.status is HoldStatus.EXPIRED:
            raise ApprovalError("The time to answer is over.", reason="approval_expired")

    def _lapse(self, hold: Hold, at: datetime, *, policy_version: str = "") -> Hold | None:
        """Close a hold that nobody can answer any more; what it became, or None where it still stands."""
        closed = holds.lapsed(hold, at=at, policy_version=policy_version)
        if closed is None:
            return None
        event = Expired(at=at) if closed.status is HoldStatus.EXPIRED else Stale(at=at)
        return closed if self._close(closed, event) else self._store.hold(hold.hold_id)

    def _close(self, closed: Hold, event: Expired | Stale) -> list[Hold]:
        """Swap it in, if nobody changed it meanwhile, and end its action in the journal."""
        if not self._store.swap_hold(closed):
            return []
        self._record([drafts.approval(closed, at=event.at), *refusal_of(closed, event)])
        self._announce(closed)
        return [closed]

    def _answered(self, hold: Hold, at: datetime) -> None:
        if hold.status is HoldStatus.DENIED:
            self._record(refusal_of(hold, Refused(at=at, by=hold.answers[-1].by)))
        if hold.status is not HoldStatus.PENDING:
            self._announce(hold)
        self._wake()

    def _record(self, written: list[Draft]) -> None:
        """What is closed stays closed, whether the journal can say so now or not."""
        try:
            self._journal.append(written)
        except ClearanceError as error:
            _LOG.error("the end of a hold could not be recorded (%s)", error.code)

    def _announce(self, hold: Hold) -> None:
        self._wake()
        kind = "hold_opened" if hold.status is HoldStatus.PENDING else "hold_closed"
        try:
            self._tell(kind, told_of(hold))
        except ClearanceError as error:
            _LOG.error("nobody could be told of hold %s (%s)", hold.hold_id, error.code)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
