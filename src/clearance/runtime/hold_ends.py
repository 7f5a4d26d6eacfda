"""What is recorded and told of a hold that ends. Changes nothing but the journal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from clearance.core import binding, drafts, holds, redact
from clearance.core.commands import Write
from clearance.core.events import Expired, Refused, Stale
from clearance.core.mediation import step
from clearance.core.model import Draft, Hold, HoldStatus, Person, RecordKind, Request, Verdict
from clearance.errors import ApprovalError
from clearance.ports import HoldQuery, HoldStore, Journal

ENDED = frozenset({RecordKind.INTENT, RecordKind.REFUSAL})
_MOST_LEFT = 50
_AT_REST_SECONDS = 10.0  # a process that has only just closed a hold is still about to record it
_LOOKS_BACK = timedelta(days=1)


def has_ended(journal: Journal, hold: Hold) -> bool:
    """The journal is what is true: an action that has an intent, or was refused, never goes on."""
    return any(record.kind in ENDED for record in journal.action(hold.action_id))


def left_behind(store: HoldStore, journal: Journal, at: datetime) -> list[Draft]:
    """The endings that a process closed and died before it could record: of the newest, for a start."""
    found: list[Draft] = []
    for status in (HoldStatus.DENIED, HoldStatus.EXPIRED):
        for hold in store.holds(HoldQuery(status=status, limit=_MOST_LEFT)):
            if not _is_at_rest(hold, at) or has_ended(journal, hold):
                continue
            event = Expired(at=at) if status is HoldStatus.EXPIRED else Refused(at=at, by=hold.answers[-1].by)
            found += refusal_of(hold, event)
    return found


def _is_at_rest(hold: Hold, at: datetime) -> bool:
    if hold.closed_at is None:
        return False
    return timedelta(seconds=_AT_REST_SECONDS) < at - hold.closed_at < _LOOKS_BACK


def told_of(hold: Hold) -> dict[str, Any]:
    """A hold as a notice has it: what is shown of it, with no more of a large radius than a record has."""
    radius = tuple(redact.stored_radius(one) for one in hold.shown.radius)
    shown = replace(hold.shown, radius=radius)
    return {
        "hold_id": hold.hold_id,
        "status": hold.status.value,
        "agent": hold.agent,
        "team": hold.team,
        "run_id": hold.run_id,
        "action_id": hold.action_id,
        "tool": shown.tool,
        "operation": shown.operation.value,
        "resources": [resource.id for resource in shown.resources],
        "reasons": [reason.message for reason in shown.reasons],
        "policies": [asked.policy for asked in hold.requirements],
        "shown": msgspec.to_builtins(shown),
        "shown_hash": hold.shown_hash,
        "answered_by": [answer.by for answer in hold.answers],
        "why": hold.why,
        "created_at": hold.created_at.isoformat(),
        "expires_at": hold.expires_at.isoformat(),
    }


def refusal_of(hold: Hold, event: Refused | Expired | Stale) -> list[Draft]:
    """The record that ends the held action, as the machine writes it."""
    _, command = step(binding.from_storage(hold.mediation), event, _NO_RULES)
    return [command.draft] if isinstance(command, Write) else []


def came_too_late(hold: Hold, person: Person, error: ApprovalError, *, at: datetime) -> Draft:
    """The record of an answer that somebody else's came before, after it was written as if it counted."""
    why = f"an answer of {holds.named(person)} did not count: {error.reason}"
    return drafts.approval(replace(hold, why=why), at=at)


class _NoRules:
    """A held action is ended, never judged, from what was stored of it."""

    version = ""

    def verdicts(self, request: Request) -> list[Verdict]:
        raise AssertionError(request.context.action_id)


_NO_RULES = _NoRules()
