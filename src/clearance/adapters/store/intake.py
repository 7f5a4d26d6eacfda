"""What a draft must be before it is queued, and what a listing needs to know of its body. Pure.

A draft that could not be stored is refused here, in its caller's thread, so that it never fails the group
of appends it would have been committed with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Final

import msgspec
from msgspec import Struct

from clearance.core.model import Draft, RecordKind
from clearance.errors import StoreError

_TOLD_BY: Final = frozenset({RecordKind.RUN_STARTED, RecordKind.HOLD, RecordKind.INTENT, RecordKind.REFUSAL})


class Told(Struct, frozen=True):
    """What one body adds to its run's summary."""

    goal: str = ""
    alerts: int = 0


class Accepted(Struct, frozen=True):
    """A draft fit to be stored: its time is UTC, its text is valid UTF-8."""

    draft: Draft
    told: Told


class _Obligation(Struct):
    type: str = ""


class _Decision(Struct):
    obligations: tuple[_Obligation, ...] = ()


class _Body(Struct):
    goal: str = ""
    decision: _Decision | None = None


_BODY: Final = msgspec.json.Decoder(_Body)
_NOTHING: Final = Told()


def accept(drafts: Sequence[Draft], *, node: str) -> list[Accepted]:
    """Check every draft of one append, and stamp those that name no node.

    Raises StoreError when one of them cannot be stored.
    """
    return [_accept(draft, node) for draft in drafts]


def told(kind: RecordKind, body: msgspec.Raw) -> Told:
    """Goal and alerts of one body, none where it has another form. Raises StoreError when it is no JSON."""
    if kind not in _TOLD_BY:
        return _NOTHING
    try:
        read = _BODY.decode(body)
    except msgspec.ValidationError:
        return _NOTHING
    except msgspec.DecodeError as error:
        raise StoreError("A record's body is not JSON. Nothing of this append was stored.") from error
    goal = read.goal if kind is RecordKind.RUN_STARTED else ""
    owed = read.decision.obligations if read.decision else ()
    return Told(goal, int(any(obligation.type == "notify" for obligation in owed)))


def _accept(draft: Draft, node: str) -> Accepted:
    if not draft.node:
        draft = msgspec.structs.replace(draft, node=node)
    if draft.at.tzinfo is not UTC:
        if draft.at.utcoffset() is None:
            raise StoreError("A record's time has no time zone. Nothing of this append was stored.")
        draft = msgspec.structs.replace(draft, at=draft.at.astimezone(UTC))
    try:
        names = (draft.run_id, draft.agent, draft.node, draft.action_id, draft.tool, draft.operation)
        "".join((*names, draft.effect, draft.status)).encode()
        bytes(draft.body).decode()
    except UnicodeError as error:
        message = "A record holds text that is not valid Unicode. Nothing of this append was stored."
        raise StoreError(message) from error
    return Accepted(draft, told(draft.kind, draft.body))
