"""A run's records, grouped into the steps a person thinks in: one per action, one per note. Draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from clearance.cli.reason_text import is_alert
from clearance.core.drafts import ActionBody
from clearance.core.model import Effect, OutcomeStatus, Record, RecordKind

T = TypeVar("T")
_DECISIONS = frozenset({RecordKind.REFUSAL, RecordKind.HOLD, RecordKind.INTENT, RecordKind.SNAPSHOT})


class Standing(StrEnum):
    """What became of an action; the worst that is true of it."""

    REFUSED = "REFUSED"
    HELD = "HELD"
    UNKNOWN = "UNKNOWN"
    FAILED = "FAILED"
    ALERT = "ALERT"
    OPEN = "open"
    ALLOWED = "allowed"


class Step(Struct, kw_only=True, eq=False):
    """One action, one note or the run's end: `first` says which.

    `decided` is an action's last decision and `body` what it says: None where it is not kept any more or
    cannot be read. `children` are the actions that this one asked for, `said` is what
    people said of it.
    """

    first: Record
    decided: Record | None = None
    body: ActionBody | None = None
    outcomes: list[Record] = []
    said: list[Record] = []
    children: list[Step] = []

    @property
    def standing(self) -> Standing:
        """The worst first."""
        decided, status = self.decided, self.outcomes[-1].status if self.outcomes else ""
        if decided is not None and decided.effect == Effect.DENY:
            return Standing.HELD if decided.kind is RecordKind.HOLD else Standing.REFUSED
        if status == OutcomeStatus.UNKNOWN:
            return Standing.UNKNOWN
        if status == OutcomeStatus.FAILED:
            return Standing.FAILED
        if self.alerts:
            return Standing.ALERT
        return Standing.ALLOWED if status else Standing.OPEN

    @property
    def alerts(self) -> bool:
        """Somebody is to be told of this action, whatever became of it."""
        return any(is_alert(reason) for reason in self.body.decision.reasons) if self.body else False


def read_body(record: Record, form: type[T]) -> T | None:
    """None for a body that does not fit: a changed journal must still be readable."""
    try:
        return msgspec.json.decode(record.body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def text_of(record: Record, field: str) -> str:
    """One text of a record's body; empty when it is not there."""
    body = read_body(record, dict[str, Any])
    return str(body.get(field, "")) if body else ""


def steps_of(records: Sequence[Record]) -> list[Step]:
    """The run's top steps in order; an action asked for by an earlier one stands among its children."""
    top: list[Step] = []
    actions: dict[str, Step] = {}
    for record in records:
        if record.kind is RecordKind.RUN_STARTED:
            continue
        body = read_body(record, ActionBody) if record.kind in _DECISIONS else None
        step = actions.get(record.action_id) if record.action_id else None
        if step is None:
            step = Step(first=record)
            parent = actions.get(body.parent_id) if body and body.parent_id else None
            (parent.children if parent else top).append(step)
            if record.action_id:
                actions[record.action_id] = step
        if record.kind is RecordKind.OUTCOME:
            step.outcomes.append(record)
        elif record.kind is RecordKind.APPROVAL:
            step.said.append(record)
        elif record.kind in _DECISIONS:
            step.decided, step.body = record, body
    return top
