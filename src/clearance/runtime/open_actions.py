"""Cleared actions whose end nobody has told: what was written of each, what it saved, what it hides."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clearance.core import redact
from clearance.core.mediation import Mediation
from clearance.core.model import (
    Action,
    Draft,
    Operation,
    OutcomeStatus,
    Record,
    RecordKind,
    Request,
    Transform,
)
from clearance.errors import ClearanceError, ConflictError, NotFoundError
from clearance.ports import Journal
from clearance.runtime.memory import request_of
from clearance.runtime.names import snapshot_of
from clearance.runtime.proposals import PROPOSING
from clearance.runtime.recent import Recent
from clearance.runtime.systems import Systems

_KEPT = 4_096  # actions whose report needs no look-up in the journal
_ASKING = frozenset({"authzen", "http", "sdk", "sql"})  # doors that only answer whether an action may be done
_OPEN_ENDED = frozenset({OutcomeStatus.UNKNOWN, OutcomeStatus.NOT_REPORTED})


class CameBy(Struct, frozen=True):
    """By which door a cleared action came, and with which operation: who carries it out."""

    door: str
    operation: str

    @property
    def is_callers(self) -> bool:
        """Whether whoever asked carries it out, and tells how it ended. Else the door does both."""
        if self.door == PROPOSING:
            return self.operation != Operation.MODEL_CALL
        return self.door in _ASKING


_NO_BODY = msgspec.Raw(b"{}")


class _Open(Struct, frozen=True):
    """`request` as it was judged, `intent` as it was written; both without arguments, which may be large."""

    intent: Draft
    request: Request


class OpenActions:
    """Thread-safe. What it forgets is read from the journal; only what may not be stored is gone then."""

    def __init__(self, journal: Journal, systems: Systems) -> None:
        self._journal = journal
        self._systems = systems
        self._open: Recent[_Open] = Recent(_KEPT)
        self._saved: Recent[tuple[str, ...]] = Recent(_KEPT)
        self._restorations: Recent[Mapping[str, str]] = Recent(_KEPT)

    def put(self, mediation: Mediation) -> None:
        """An action that was cleared; any other is left out."""
        if mediation.intent is None or mediation.refused:
            return
        action_id = mediation.request.context.action_id
        asked = mediation.request.action
        bare = replace(mediation.request, action=Action(tool=asked.tool, operation=asked.operation))
        self._open.put(action_id, _Open(replace(mediation.intent, body=_NO_BODY), bare))
        if mediation.saved:
            self._saved.put(action_id, tuple(saved.system for saved in mediation.saved))
        if transforms := _restoring(mediation):
            arguments = mediation.request.action.arguments
            self._restorations.put(action_id, redact.restorations(arguments, transforms))

    def operation(self, action_id: str) -> Operation:
        """Raises NotFoundError, StoreError."""
        kept = self._open.get(action_id)
        if kept is None:
            return Operation(self.stored_intent(action_id).operation)
        return kept.request.action.operation

    def request(self, action_id: str) -> Request:
        """As it was judged; its arguments are left out. Raises NotFoundError, StoreError."""
        kept = self._open.get(action_id)
        return request_of(self.stored_intent(action_id)) if kept is None else kept.request

    def stored_intent(self, action_id: str) -> Record:
        """What was written before it ran, as the journal has it. Raises NotFoundError, StoreError."""
        for record in self._journal.action(action_id):
            if record.kind is RecordKind.INTENT:
                return record
        raise NotFoundError("No action of this id was ever cleared.")

    def came_by(self, action_id: str) -> CameBy:
        """Raises NotFoundError, StoreError."""
        kept = self._open.get(action_id)
        if kept is None:
            return msgspec.json.decode(self.stored_intent(action_id).body, type=CameBy)
        return CameBy(kept.request.context.door, kept.request.action.operation.value)

    def unreported(self, action_id: str) -> Draft | Record:
        """Its intent, once, maybe without its body: from then on it is not open.

        Raises NotFoundError, ConflictError, StoreError.
        """
        kept = self._open.pop(action_id)
        return self._unreported(action_id) if kept is None else kept.intent

    def _unreported(self, action_id: str) -> Record:
        intent = self.stored_intent(action_id)
        for record in self._journal.action(action_id):
            if record.kind is RecordKind.OUTCOME and OutcomeStatus(record.status) not in _OPEN_ENDED:
                raise ConflictError("The outcome of this action is already recorded.")
        return intent

    def restorations(self, action_id: str) -> Mapping[str, str]:
        """Which value each placeholder in its arguments stands for."""
        return self._restorations.get(action_id) or {}

    def forget_restorations(self, action_id: str) -> None:
        """They are kept no longer than they can be needed."""
        self._restorations.pop(action_id)

    def has_saved(self, action_id: str) -> bool:
        """Whether state was saved for it, so that `settle` has something to do."""
        return self._saved.get(action_id) is not None

    def settle(self, action_id: str) -> None:
        """Let the systems that saved state for it note how it left them.

        A system that cannot be reached leaves the snapshot unsettled: its undo will tell fewer changes apart.
        """
        for name in self._saved.pop(action_id) or ():
            with suppress(ClearanceError):
                self._systems.system(name).settle(snapshot_of(action_id))


def _restoring(mediation: Mediation) -> list[Transform]:
    """What was taken out of its arguments, where some of it is to be put back."""
    owed = mediation.decision.obligations if mediation.decision is not None and mediation.redacted else ()
    transforms = [one for one in owed if isinstance(one, Transform)]
    return transforms if any(one.restore for one in transforms) else []
