"""Feeds circuit breakers from decisions and outcomes, of this process and of others, and has them trip.

Costs nothing where no policy is one. What a restart, or a change of the policies, needs is read back from the
journal; reading back never trips: the next event does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from clearance.core.drafts import ActionBody, AdministrationBody
from clearance.core.mediation import Mediation
from clearance.core.model import (
    Effect,
    Mode,
    OutcomeStatus,
    Record,
    RecordKind,
    Request,
    Stop,
    StopKind,
)
from clearance.core.policy import History, PolicySet
from clearance.core.policy.breaker import VIOLATIONS, Event, Heard, Meters, Tripped
from clearance.core.policy.view import View
from clearance.errors import ClearanceError, StoreError
from clearance.ports import Journal, RecordQuery
from clearance.runtime.brake import Brake
from clearance.runtime.memory import request_of
from clearance.runtime.recent import Recent

_ACTIONS_KEPT = 65_536  # whose outcome is still awaited, and which were counted
_MOST_READ_BACK = 100_000  # records; a longer past than that starts with its newest
_EVENT_OF = {
    OutcomeStatus.SUCCEEDED.value: Event.SUCCEEDED,
    OutcomeStatus.FAILED.value: Event.FAILED,
}
_LOG = logging.getLogger("clearance")


class Breakers:
    """Thread-safe."""

    def __init__(self, journal: Journal, brake: Brake, *, clock: Callable[[], datetime]) -> None:
        self._journal = journal
        self._brake = brake
        self._clock = clock
        self._lock = threading.Lock()
        self._policies = PolicySet.empty()
        self._meters = Meters(())
        self._actions: Recent[Heard] = Recent(_ACTIONS_KEPT)
        self._ended: Recent[bool] = Recent(_ACTIONS_KEPT)

    def begin(self, policies: PolicySet) -> None:
        """Before a decision: know the past that these policies count. Raises StoreError."""
        if policies is self._policies or not (policies.breakers or self._policies.breakers):
            return
        with self._lock:
            if policies is not self._policies:
                self._read_back(policies)

    def hear(self, records: Iterable[Record]) -> None:
        """What other processes did."""
        if self._policies.breakers:
            with self._lock:
                for record in records:
                    self._count_record(record)

    def decided(self, mediation: Mediation) -> list[Tripped]:
        """Count one decision of this process; what has to be stopped."""
        if not self._policies.breakers or mediation.decision is None:
            return []
        if mediation.refused:
            code = mediation.decision.reasons[0].code
            event = Event.VIOLATION if code in VIOLATIONS else None
        else:
            event = Event.CLEARED
        if event is None:
            return []
        with self._lock:
            return self._count_request(mediation.request, event)

    def ended(self, action_id: str, status: str) -> list[Tripped]:
        """Count one outcome of an action that was counted; what has to be stopped."""
        if not self._policies.breakers:
            return []
        with self._lock:
            return self._count_outcome(action_id, status, self._clock())

    def trip(self, tripped: Iterable[Tripped]) -> None:
        """Stop whom they are about. Never raises: the action that tripped it is decided already."""
        for one in tripped:
            try:
                self._trip(one)
            except ClearanceError as error:
                _LOG.error("circuit breaker %s could not stop %s (%s)", one.breaker.name, one.subject, error)

    def _trip(self, tripped: Tripped) -> None:
        breaker, (kind, name), at = tripped.breaker, tripped.subject, self._clock()
        stop = Stop(
            kind=kind,
            name=name,
            level=breaker.then,
            reason=f"{breaker.message} ({tripped.reason})" if breaker.message else tripped.reason,
            by=f"policy:{breaker.name}",
            at=at,
            until=None if breaker.for_seconds is None else at + timedelta(seconds=breaker.for_seconds),
            policy=breaker.name,
        )
        if breaker.mode is Mode.SHADOW:
            self._brake.would_trip(stop)
        else:
            self._brake.trip(stop)
        with self._lock:
            self._meters.forget(breaker.name, tripped.subject)

    # Counting

    def _count_request(self, request: Request, event: Event) -> list[Tripped]:
        action_id = request.context.action_id
        if self._actions.get(action_id) is not None:
            return []
        roles = self._policies.roles_for(request.principal)
        heard = self._meters.heard(request, View(request, roles=roles, history=History(self._policies)))
        self._actions.put(action_id, heard)
        return self._meters.count(heard, event, at=heard.at) if heard.entries else []

    def _count_outcome(self, action_id: str, status: str, at: datetime) -> list[Tripped]:
        event, heard = _EVENT_OF.get(status), self._actions.get(action_id)
        if event is None or heard is None or not heard.entries or self._ended.get(action_id):
            return []
        self._ended.put(action_id, True)
        return self._meters.count(heard, event, at=at.timestamp())

    # The journal

    def _read_back(self, policies: PolicySet) -> None:
        self._policies, self._meters = policies, Meters(policies.breakers)
        self._actions, self._ended = Recent(_ACTIONS_KEPT), Recent(_ACTIONS_KEPT)
        longest = max((one.within_seconds for one in policies.breakers), default=0.0)
        if not longest:
            return
        since = self._clock() - timedelta(seconds=longest)
        try:
            records = self._journal.search(RecordQuery(since=since, limit=_MOST_READ_BACK))
        except StoreError:
            self._policies = PolicySet.empty()  # again at the next decision
            raise
        if len(records) == _MOST_READ_BACK:
            _LOG.warning("circuit breakers start with the newest %d records of their window", len(records))
        for record in reversed(records):
            self._count_record(record)

    def _count_record(self, record: Record) -> None:
        match record.kind:
            case RecordKind.OUTCOME:
                self._count_outcome(record.action_id, record.status, record.at)
            case RecordKind.INTENT | RecordKind.REFUSAL:
                self._count_decision(record)
            case RecordKind.ADMINISTRATION if record.tool == "brake.set":
                self._answered(record.decoded_as(AdministrationBody).details)

    def _count_decision(self, record: Record) -> None:
        decision = msgspec.json.decode(record.body, type=ActionBody).decision
        if decision.effect is Effect.ALLOW:
            self._count_request(request_of(record), Event.CLEARED)
        elif decision.reasons[0].code in VIOLATIONS:
            self._count_request(request_of(record), Event.VIOLATION)

    def _answered(self, details: dict[str, Any]) -> None:
        """Somebody was stopped by a breaker: what it counted is answered."""
        policy, kind, name = details.get("policy"), details.get("kind"), details.get("name")
        if policy and kind in set(StopKind):
            self._meters.forget(str(policy), (StopKind(str(kind)), str(name)))
