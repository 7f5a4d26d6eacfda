"""A control point whose clock is set by hand, and people who answer; on stores in memory, or others."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from msgspec.structs import replace

from clearance.adapters.store import MemoryJournal, MemoryState
from clearance.core.model import (
    ActionCall,
    AnswerKind,
    CheckResult,
    Effect,
    Hold,
    Person,
    Principal,
    Record,
    RecordKind,
)
from clearance.core.policy.posture import Posture
from clearance.ports import HoldQuery, Journal, State
from clearance.runtime.asking import asking
from clearance.runtime.audit import Audit
from clearance.runtime.control_point import ControlPoint
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.standing import Standing
from tests.answering import person

T = TypeVar("T")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ASK: dict[str, Any] = {"name": "ask", "rule": "require_approval", "condition": {"action": "update"}}
CALL = ActionCall(action="update", resource="postgres:crm/users", arguments={"id": 1})
ALL = HoldQuery(limit=100_000)
BOT = Principal(agent="bot", owner="owen")


class Office:
    """Everything of one process. `again` is another process on the same stores."""

    def __init__(
        self,
        *,
        policies: tuple[dict[str, Any], ...] = (ASK,),
        journal: Journal | None = None,
        state: State | None = None,
        ids: Callable[[], int] | None = None,
        posture: Callable[[], Posture] = Posture,
    ) -> None:
        self.now = START
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.journal = journal or MemoryJournal()
        self.state = state or MemoryState()
        self._posture = posture
        self._ids = ids or itertools.count(1).__next__
        self.book = PolicyBook(self.state.policies, clock=self.clock)
        for policy in policies:
            self.book.create(policy, by="test")
        self.audit = Audit(self.journal, self.clock)
        self.holds, self.grants = asking(
            self.state,
            self.journal,
            self.book,
            self.audit,
            clock=self.clock,
            new_id=self.new_id,
            tell=lambda kind, body: self.told.append((kind, body)),
        )
        self.point = ControlPoint(
            self.journal,
            self.book,
            clock=self.clock,
            new_id=self.new_id,
            standing=Standing(approvals=self.holds, posture=posture),
        )

    def again(self) -> Office:
        other = Office(
            policies=(), journal=self.journal, state=self.state, ids=self._ids, posture=self._posture
        )
        other.now = self.now
        return other

    def clock(self) -> datetime:
        return self.now

    def new_id(self, kind: str) -> str:
        return f"{kind}_{self._ids():06d}"

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def know(self, *people: Person) -> None:
        for one in people:
            self.state.people.add_person(one)

    def send(self, call: ActionCall = CALL, principal: Principal = BOT, **changes: Any) -> CheckResult:
        return self.point.clear(replace(call, **changes), principal, door="test")

    def refusal(self, call: ActionCall = CALL, principal: Principal = BOT, **changes: Any) -> str:
        """Why it was refused. What a person said yes to has the same first reason, and is allowed."""
        result = self.send(call, principal, **changes)
        assert result.blocked
        return result.reason_code

    def held(self, call: ActionCall = CALL, principal: Principal = BOT, **changes: Any) -> Hold:
        result = self.send(call, principal, **changes)
        assert (result.effect, result.reason_code) == (Effect.DENY, "approval_required")
        return self.holds.hold(result.hold_id)

    def say(self, kind: AnswerKind, hold: Hold, by: str | Person = "alice") -> Hold:
        somebody = person(by) if isinstance(by, str) else by
        return self.holds.answer(hold.hold_id, kind, person=somebody, shown_hash=hold.shown_hash)

    def yes(self, hold: Hold, by: str | Person = "alice") -> Hold:
        return self.say(AnswerKind.APPROVE, hold, by)

    def no(self, hold: Hold, by: str | Person = "alice") -> Hold:
        return self.say(AnswerKind.DENY, hold, by)

    def kinds(self, hold: Hold) -> list[str]:
        return [record.kind.value for record in self.records(hold)]

    def records(self, hold: Hold) -> list[Record]:
        return self.journal.action(hold.action_id)

    def intents(self, run_id: str = "") -> list[Record]:
        """What was let run."""
        runs = [run_id] if run_id else sorted({hold.run_id for hold in self.state.holds.holds(ALL)})
        records = [record for run in runs for record in self.journal.run(run)]
        return [one for one in records if one.kind is RecordKind.INTENT and one.effect == Effect.ALLOW.value]


def in_threads(number: int, do: Callable[[], T]) -> list[T]:
    """What each of so many threads got, all begun at once."""
    found: list[T] = []
    gate = threading.Barrier(number)

    def one() -> None:
        gate.wait()
        found.append(do())

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
