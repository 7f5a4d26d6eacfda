"""The life of one action, one state machine: (state, event) -> (state, command). No I/O, no clock.

An event with no row refuses · any failure before EXECUTING refuses · nothing executes before its intent is
durable · at most one Execute · an obligation the door cannot honour refuses · every path ends in DONE.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from clearance.core import drafts, redact, sentences
from clearance.core.commands import AskApproval, Command, Count, Execute, Finish, Gather, TakeSnapshot, Write
from clearance.core.decide import combine, denial, is_liftable, without_transforms
from clearance.core.enrich import merge_facts, uncounted, with_counts
from clearance.core.events import (
    Approved,
    Braked,
    Cancelled,
    Counted,
    CountFailed,
    Event,
    Executed,
    Expired,
    Gathered,
    GatherFailed,
    Parked,
    Refused,
    ReportLost,
    SnapshotFailed,
    SnapshotTaken,
    Spent,
    Stale,
    Unavailable,
    WriteFailed,
    Written,
)
from clearance.core.model import (
    KIND_OF,
    Answer,
    Approval,
    Decision,
    Draft,
    Durability,
    Effect,
    Finding,
    ObligationKind,
    OutcomeStatus,
    Radius,
    ReasonCode,
    RecordKind,
    Request,
    Saved,
    Transform,
    Verdict,
)


class State(StrEnum):
    """Where an action is. Only EXECUTING and later may have changed the world."""

    GATHERING = "gathering"
    COUNTING = "counting"  # the real systems are asked; what they tell may yet refuse it
    DECIDED = "decided"  # a decision is being written; nothing has run
    HELD = "held"
    RECOUNTING = "recounting"  # approved; is it still no more than what was approved?
    SAVING = "saving"
    EXECUTING = "executing"
    CLOSING = "closing"  # the last record is being written
    DONE = "done"


class Mediation(Struct, frozen=True, kw_only=True):
    """One action in flight. A plain value: it can be stored while a person decides, and taken up again."""

    state: State
    request: Request
    findings: tuple[Finding, ...] = ()
    decision: Decision | None = None
    arguments: dict[str, Any] = {}  # as they will run
    redacted: tuple[str, ...] = ()
    approved_by: tuple[Answer, ...] = ()
    hold_id: str = ""  # the hold that this continues, or was parked as
    hold_expires_at: datetime | None = None
    radii: tuple[Radius, ...] = ()
    snapshot_id: str = ""
    saved: tuple[Saved, ...] = ()
    intent: Draft | None = None  # as written before it ran; its outcome repeats whose it is
    outcome: OutcomeStatus | None = None

    @property
    def refused(self) -> bool:
        return self.decision is not None and self.decision.effect is Effect.DENY


class Judge(Protocol):
    """The policies, as the machine sees them."""

    version: str

    def verdicts(self, request: Request) -> list[Verdict]:
        """Every rule's opinion of the request. Pure."""


Step = tuple[Mediation, Command | None]


def begin(request: Request, *, hold_id: str = "") -> Step:
    """The first state and the first command. With `hold_id` the call takes up an action that was held."""
    mediation = Mediation(
        state=State.GATHERING, request=request, arguments=request.action.arguments, hold_id=hold_id
    )
    return mediation, Gather(request=request)


def step(mediation: Mediation, event: Event, judge: Judge) -> Step:
    """One event in, one command out; None once everything has been said."""
    match mediation.state, event:
        case State.GATHERING, Gathered():
            return _gathered(mediation, event, judge)
        case State.COUNTING, Counted():
            return _counted(mediation, event, judge)
    row = _ROWS.get((mediation.state, type(event)), _no_row)
    return row(mediation, event)


# What was gathered becomes a decision.


def _gathered(mediation: Mediation, event: Gathered, judge: Judge) -> Step:
    request = mediation.request
    if event.facts:
        request = replace(request, facts=merge_facts(request.facts, event.facts))
    mediation = replace(mediation, request=request, findings=event.findings)
    if not request.context.systems:
        return _decide(mediation, judge, event.at)
    decision = combine(judge.verdicts(uncounted(request)), event.findings, policy_version=judge.version)
    if decision.effect is Effect.DENY and decision.reasons[0].certain and not is_liftable(decision):
        return _decided(mediation, decision, event.at)  # whatever the count is: no system is asked for it
    return replace(mediation, state=State.COUNTING), Count(request=request)


def _counted(mediation: Mediation, event: Counted, judge: Judge) -> Step:
    request = with_counts(
        mediation.request, event.radii, at=event.at, operation=event.operation, resources=event.resources
    )
    return _decide(replace(mediation, request=request, radii=event.radii), judge, event.at)


def _decide(mediation: Mediation, judge: Judge, at: datetime) -> Step:
    verdicts = judge.verdicts(mediation.request)
    decision = combine(verdicts, mediation.findings, policy_version=judge.version)
    return _decided(mediation, decision, at)


def _decided(mediation: Mediation, decision: Decision, at: datetime) -> Step:
    mediation = replace(mediation, decision=decision)
    if decision.effect is Effect.DENY:
        if not is_liftable(decision):
            return _write(replace(mediation, state=State.DECIDED), RecordKind.REFUSAL, at)
        mediation = _settled(mediation)  # people see, and the record keeps, what would run
        if mediation.hold_id:
            return _ask(mediation)  # that it is held is in the journal already
        return _write(replace(mediation, state=State.DECIDED), RecordKind.HOLD, at)
    return _clear(mediation, at)


def _clear(mediation: Mediation, at: datetime) -> Step:
    """Allowed: settle what will run and write the intent, unless the door cannot do what is owed."""
    settled = replace(_settled(mediation), state=State.DECIDED)
    if unsupported := _unsupported(settled):
        message = f"This door cannot honour what the policy asks for ({unsupported}); nothing was run."
        return _refuse(settled, ReasonCode.OBLIGATION_NOT_SUPPORTED, message, at)
    return _write(settled, RecordKind.INTENT, at)


def _settled(mediation: Mediation) -> Mediation:
    assert mediation.decision is not None
    transforms = [owed for owed in mediation.decision.obligations if isinstance(owed, Transform)]
    action = mediation.request.action
    arguments, redacted = redact.transformed(action.arguments, transforms, written=action.written)
    decision = mediation.decision if redacted or not transforms else without_transforms(mediation.decision)
    return replace(mediation, decision=decision, arguments=arguments, redacted=redacted)


def _unsupported(mediation: Mediation) -> str:
    """The first obligation that only the door can honour and that it does not; empty when there is none."""
    assert mediation.decision is not None
    for owed in mediation.decision.obligations:
        kind = KIND_OF[type(owed)]
        if kind in _THE_DOORS and kind not in mediation.request.context.honours:
            return kind.value
    return ""


_THE_DOORS = frozenset({ObligationKind.TRANSFORM, ObligationKind.LIMIT, ObligationKind.INSPECT})


def _decision_written(mediation: Mediation, _: Written) -> Step:
    assert mediation.decision is not None
    if mediation.decision.effect is Effect.ALLOW:
        owed = {KIND_OF[type(duty)] for duty in mediation.decision.obligations}
        if ObligationKind.SNAPSHOT in owed.difference(mediation.request.context.honours):
            return replace(mediation, state=State.SAVING), TakeSnapshot(request=mediation.request)
        return _execute(mediation)
    if is_liftable(mediation.decision):
        return _ask(mediation)
    return replace(mediation, state=State.DONE), Finish()


def _decision_not_written(mediation: Mediation, _: WriteFailed) -> Step:
    message = "The store could not record the decision, so nothing was run. Try again when it is back."
    decision = denial(mediation.decision, ReasonCode.STORE_UNAVAILABLE, message)
    return replace(mediation, state=State.DONE, decision=decision), Finish()


def _ask(mediation: Mediation) -> Step:
    return replace(mediation, state=State.HELD), AskApproval(request=mediation.request)


def _approvals(mediation: Mediation) -> int:
    """How many have to say yes: two holds need two approvals."""
    assert mediation.decision is not None
    return sum(owed.count for owed in mediation.decision.obligations if isinstance(owed, Approval))


def _approved(mediation: Mediation, event: Approved) -> Step:
    if len(event.by) < _approvals(mediation):
        return _no_row(mediation, event)
    mediation = replace(mediation, approved_by=event.by)
    if mediation.request.context.systems:
        shown = replace(mediation, state=State.RECOUNTING, radii=event.shown)
        return shown, Count(request=mediation.request)
    return _lifted(mediation, event.at)


def _parked(mediation: Mediation, event: Parked) -> Step:
    """Nobody has answered: this ends here, held, until the same call is sent again."""
    held = replace(mediation, hold_id=event.hold_id, hold_expires_at=event.expires_at)
    return held, Finish()


def _braked(mediation: Mediation, event: Braked) -> Step:
    return _refuse(mediation, event.reason.code, event.reason.message, event.at)


def _recounted(mediation: Mediation, event: Counted) -> Step:
    """An approval holds for what was shown: no other system, and nothing more of it."""
    shown = {radius.system: radius for radius in mediation.radii}
    if not all(radius.system in shown and radius.within(shown[radius.system]) for radius in event.radii):
        message = "What the action would touch changed after it was approved; nothing was run. Ask again."
        return _refuse(mediation, ReasonCode.RADIUS_CHANGED, message, event.at)
    return _lifted(replace(mediation, radii=event.radii), event.at)


def _lifted(mediation: Mediation, at: datetime) -> Step:
    assert mediation.decision is not None
    lifted = replace(mediation.decision, effect=Effect.ALLOW)
    return _clear(replace(mediation, decision=lifted), at)


def _snapshot_taken(mediation: Mediation, event: SnapshotTaken) -> Step:
    if mediation.snapshot_id:
        return _no_row(mediation, event)
    taken = replace(mediation, snapshot_id=event.snapshot_id, saved=event.saved)
    return _write(taken, RecordKind.SNAPSHOT, event.at)


def _snapshot_written(mediation: Mediation, event: Written) -> Step:
    return _execute(mediation) if mediation.snapshot_id else _no_row(mediation, event)


def _execute(mediation: Mediation) -> Step:
    command = Execute(request=mediation.request, arguments=mediation.arguments)
    return replace(mediation, state=State.EXECUTING), command


# It ran, or may have.


def _executed(mediation: Mediation, event: Executed) -> Step:
    told = drafts.told(event.status, result=event.result, error=event.error)
    return _close(mediation, event.status, told, event.at)


def _report_lost(mediation: Mediation, event: ReportLost | Cancelled) -> Step:
    told = drafts.told(OutcomeStatus.UNKNOWN, why="nobody reported how it ended")
    return _close(mediation, OutcomeStatus.UNKNOWN, told, event.at)


def _close(mediation: Mediation, status: OutcomeStatus, told: drafts.OutcomeBody, at: datetime) -> Step:
    assert mediation.intent is not None
    draft = drafts.outcome(mediation.intent, at=at, status=status, told=told)
    closing = replace(mediation, state=State.CLOSING, outcome=status)
    return closing, Write(draft=draft, durability=Durability.PROCESS)


def _finished(mediation: Mediation, _: Written | WriteFailed) -> Step:
    return replace(mediation, state=State.DONE), Finish()


# Refusals.


def _refusing(code: ReasonCode, message: str) -> Callable[[Mediation, Any], Step]:
    def row(mediation: Mediation, event: Event) -> Step:
        return _refuse(mediation, code, message, event.at)

    return row


def _refuse(mediation: Mediation, code: ReasonCode, message: str, at: datetime) -> Step:
    decision = denial(mediation.decision, code, message)
    closing = replace(mediation, state=State.CLOSING, decision=decision)
    return _write(closing, RecordKind.REFUSAL, at)


def _write(mediation: Mediation, kind: RecordKind, at: datetime) -> Step:
    assert mediation.decision is not None
    draft = drafts.action(
        kind,
        mediation.request,
        mediation.decision,
        at=at,
        arguments=mediation.arguments,
        progress=drafts.Progress(
            redacted=mediation.redacted,
            approved_by=mediation.approved_by,
            radius=mediation.radii,
            snapshot_id=mediation.snapshot_id,
            saved=mediation.saved,
        ),
    )
    if kind is RecordKind.INTENT:
        mediation = replace(mediation, intent=draft)
    return mediation, Write(draft=draft, durability=Durability.POWER)


def _no_row(mediation: Mediation, event: Event) -> Step:
    """The world said something it could not have said. Whatever it was, nothing more is executed."""
    match mediation.state:
        case State.DONE:
            return mediation, None
        case State.CLOSING:
            return replace(mediation, state=State.DONE), Finish()
        case State.EXECUTING:
            told = drafts.told(OutcomeStatus.UNKNOWN, why="an event out of order came instead of a report")
            return _close(mediation, OutcomeStatus.UNKNOWN, told, event.at)
        case _:
            message = "Clearance was told something out of order; nothing was run."
            return _refuse(mediation, ReasonCode.PROTOCOL_VIOLATION, message, event.at)


_cancelled = _refusing(ReasonCode.CANCELLED, sentences.WENT_AWAY)
_spent = _refusing(ReasonCode.APPROVAL_USED, sentences.USED)
_not_counted = _refusing(ReasonCode.FACTS_UNAVAILABLE, sentences.NOT_COUNTED)

# Every row but (GATHERING, Gathered) and (COUNTING, Counted), which alone need the policies.
_ROWS: dict[tuple[State, type], Callable[[Mediation, Any], Step]] = {
    (State.GATHERING, GatherFailed): _not_counted,
    (State.GATHERING, Cancelled): _cancelled,
    (State.COUNTING, CountFailed): _not_counted,
    (State.COUNTING, GatherFailed): _not_counted,
    (State.COUNTING, Unavailable): _not_counted,
    (State.COUNTING, Cancelled): _cancelled,
    (State.DECIDED, Written): _decision_written,
    (State.DECIDED, WriteFailed): _decision_not_written,
    (State.DECIDED, Braked): _braked,
    (State.DECIDED, Spent): _spent,
    (State.DECIDED, Cancelled): _cancelled,
    (State.HELD, Approved): _approved,
    (State.HELD, Parked): _parked,
    (State.HELD, Stale): _refusing(ReasonCode.APPROVAL_STALE, sentences.NOT_WHAT_WAS_SHOWN),
    (State.HELD, Spent): _spent,
    (State.HELD, Refused): _refusing(ReasonCode.APPROVAL_REFUSED, sentences.REFUSED),
    (State.HELD, Expired): _refusing(ReasonCode.APPROVAL_EXPIRED, sentences.NOT_IN_TIME),
    (State.HELD, Unavailable): _refusing(ReasonCode.APPROVAL_UNAVAILABLE, sentences.NO_APPROVER),
    (State.HELD, Cancelled): _cancelled,
    (State.RECOUNTING, Counted): _recounted,
    (State.RECOUNTING, CountFailed): _not_counted,
    (State.RECOUNTING, Unavailable): _not_counted,
    (State.RECOUNTING, Cancelled): _cancelled,
    (State.SAVING, SnapshotTaken): _snapshot_taken,
    (State.SAVING, Written): _snapshot_written,
    (State.SAVING, SnapshotFailed): _refusing(ReasonCode.SNAPSHOT_FAILED, sentences.NOT_SAVED),
    (State.SAVING, Unavailable): _refusing(ReasonCode.SNAPSHOT_UNAVAILABLE, sentences.NO_SNAPSHOT),
    (State.SAVING, WriteFailed): _decision_not_written,
    (State.SAVING, Braked): _braked,
    (State.SAVING, Cancelled): _cancelled,
    (State.EXECUTING, Executed): _executed,
    (State.EXECUTING, ReportLost): _report_lost,
    (State.EXECUTING, Cancelled): _report_lost,
    (State.CLOSING, Written): _finished,
    (State.CLOSING, WriteFailed): _finished,
}
