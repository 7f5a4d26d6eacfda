"""The records of a run, made from what is known: redacted here, once, so that no store sees a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clearance.core import redact
from clearance.core.model import (
    Answer,
    Decision,
    Draft,
    Fact,
    Hold,
    HoldStatus,
    Judged,
    OutcomeStatus,
    Principal,
    Radius,
    Record,
    RecordKind,
    Request,
    Resource,
    Saved,
)
from clearance.core.model.plain import written
from clearance.core.policy.chain import delegators

ADMINISTRATION_RUN = "administration"
# The status of an action that one agent took for another: what was done for an agent is found by it.
DELEGATED = "delegated"
_ENCODER = msgspec.json.Encoder()


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far an action has come: what was redacted, who said yes, what it touches, what was saved."""

    redacted: tuple[str, ...] = ()
    approved_by: tuple[Answer, ...] = ()
    radius: tuple[Radius, ...] = ()
    snapshot_id: str = ""
    saved: tuple[Saved, ...] = ()


class ActionBody(Progress, frozen=True, kw_only=True, omit_defaults=True):
    """The body of REFUSAL, HOLD, INTENT and SNAPSHOT: the whole request as judged, and the decision."""

    principal: Principal
    tool: str
    operation: str
    arguments: Any
    resources: tuple[Resource, ...]
    facts: dict[str, Fact]
    door: str
    decision: Decision
    parent_id: str = ""
    takes_up: bool = False  # `parent_id` is what a model proposed; both are one action


_NOTHING_YET = Progress()


class OutcomeBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of OUTCOME. `why` says who closed it, where that was not the caller.

    `measured` are facts that the decision reserved, as they came out. `decision` is of the result, where
    policies looked at it, and `redacted` what they took out before the agent saw it.
    """

    status: OutcomeStatus
    result: Any = None
    error: str = ""
    why: str = ""
    measured: dict[str, float] = {}
    redacted: tuple[str, ...] = ()
    decision: Decision | None = None


def run_started(run_id: str, *, agent: str, goal: str, at: datetime, parent_run_id: str = "") -> Draft:
    """The first record of a run."""
    body = {"goal": redact.stored(goal)}
    if parent_run_id:
        body["parent_run_id"] = parent_run_id
    return _draft(RecordKind.RUN_STARTED, run_id, agent=agent, at=at, body=body)


def run_ended(run_id: str, *, agent: str, at: datetime, status: OutcomeStatus, error: str = "") -> Draft:
    """The last record of a run that was ended by its caller."""
    body = {"error": redact.stored(error)} if error else {}
    return _draft(RecordKind.RUN_ENDED, run_id, agent=agent, at=at, status=status.value, body=body)


def note(run_id: str, *, agent: str, at: datetime, text: str) -> Draft:
    """A remark in a run: a step the agent told of, or what recovery did."""
    return _draft(RecordKind.NOTE, run_id, agent=agent, at=at, body={"text": redact.stored(text)})


def action(
    kind: RecordKind,
    request: Request,
    decision: Decision,
    *,
    at: datetime,
    arguments: dict[str, Any],
    progress: Progress = _NOTHING_YET,
) -> Draft:
    """What was asked and what was decided, with the arguments as they will run."""
    context = request.context
    tool = redact.clean_name(request.action.tool)
    body = ActionBody(
        principal=request.principal,
        tool=tool,
        operation=request.action.operation.value,
        arguments=_recorded(request, arguments),
        resources=redact.stored_resources(request.resources),
        facts=redact.stored_facts(request.facts),
        door=context.door,
        decision=decision,
        parent_id=context.parent_id,
        takes_up=bool(context.takes_up) and kind is RecordKind.INTENT,
        redacted=progress.redacted,
        approved_by=progress.approved_by,
        radius=tuple(redact.stored_radius(radius) for radius in progress.radius),
        snapshot_id=progress.snapshot_id,
        saved=progress.saved,
    )
    return Draft(
        run_id=context.run_id,
        kind=kind,
        at=at,
        agent=request.principal.agent,
        action_id=context.action_id,
        tool=tool,
        operation=request.action.operation.value,
        effect=decision.effect.value,
        status=DELEGATED if delegators(request.principal) else "",
        body=msgspec.Raw(_ENCODER.encode(body)),
    )


class ApprovalBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of APPROVAL: one answer, or how the hold ended, bound to what was shown and will run."""

    hold_id: str
    status: HoldStatus
    binding: str
    answer: Answer | None = None
    why: str = ""


class AdministrationBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of ADMINISTRATION: who did what to whom. `details` are already free of secrets."""

    act: str
    by: str
    target: str
    details: dict[str, Any] = {}


def approval(hold: Hold, *, at: datetime, answer: Answer | None = None) -> Draft:
    """What somebody said of a hold, or how it was closed. `status` is the hold's from now on."""
    if answer is not None:
        answer = replace(answer, reason=redact.clean_text(answer.reason))
    body = ApprovalBody(
        hold_id=hold.hold_id, status=hold.status, binding=hold.binding, answer=answer, why=hold.why
    )
    return Draft(
        run_id=hold.run_id,
        kind=RecordKind.APPROVAL,
        at=at,
        agent=hold.agent,
        action_id=hold.action_id,
        tool=hold.shown.tool,
        operation=hold.shown.operation.value,
        status=hold.status.value,
        body=msgspec.Raw(_ENCODER.encode(body)),
    )


def administration(act: str, *, by: str, target: str, at: datetime, details: dict[str, Any]) -> Draft:
    """An administrative act, in the one run that holds them all."""
    body = AdministrationBody(
        act=act, by=by, target=redact.clean_text(target), details=redact.stored(details)
    )
    return Draft(
        run_id=ADMINISTRATION_RUN,
        kind=RecordKind.ADMINISTRATION,
        at=at,
        agent=by,
        tool=act,
        body=msgspec.Raw(_ENCODER.encode(body)),
    )


def outcome(of: Draft | Record, *, at: datetime, status: OutcomeStatus, told: OutcomeBody) -> Draft:
    """How an action ended. `of` is any earlier record of the same action."""
    return Draft(
        run_id=of.run_id,
        kind=RecordKind.OUTCOME,
        at=at,
        agent=of.agent,
        action_id=of.action_id,
        tool=of.tool,
        operation=of.operation,
        effect=of.effect,
        status=status.value,
        body=msgspec.Raw(_ENCODER.encode(told)),
    )


def told(
    status: OutcomeStatus,
    *,
    result: Any = None,
    error: str = "",
    why: str = "",
    measured: Mapping[str, float] | None = None,
    judged: Judged | None = None,
) -> OutcomeBody:
    """An outcome's body, with the result as it may be stored."""
    return OutcomeBody(
        status=status,
        result=_stored(result) if result is not None else None,
        error=redact.stored(error) if error else "",
        why=why,
        measured=dict(measured or {}),
        redacted=() if judged is None else judged.redacted,
        decision=None if judged is None else judged.decision,
    )


def _stored(result: Any) -> Any:
    raw = written(result) if type(result) is dict else b""
    return msgspec.Raw(raw) if raw and redact.is_storable(raw) else redact.stored(result)


def _recorded(request: Request, arguments: dict[str, Any]) -> Any:
    """The arguments as they are stored; as they were written, where nothing of that has to go."""
    already, action = request.context.already_recorded, request.action
    if arguments is action.arguments and action.written and redact.is_storable(action.written):
        return _new_of(arguments, already) if already else msgspec.Raw(action.written)
    return redact.stored(_new_of(arguments, already))


def _new_of(arguments: dict[str, Any], already: int) -> dict[str, Any]:
    """A model call's arguments without the messages that the run's trace holds already."""
    if not already:
        return arguments
    kept = dict(arguments)
    for name in ("messages", "input"):
        if isinstance(kept.get(name), list):
            kept[name] = kept[name][already:]
            kept["already_recorded"] = already
    return kept


def _draft(
    kind: RecordKind, run_id: str, *, agent: str, at: datetime, body: dict[str, str], status: str = ""
) -> Draft:
    return Draft(
        run_id=run_id,
        kind=kind,
        at=at,
        agent=agent,
        status=status,
        body=msgspec.Raw(_ENCODER.encode(body)),
    )
