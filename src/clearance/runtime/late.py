"""Records stops that hold and are not in the journal: set while it was down, by a process that is gone."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from clearance.core.drafts import ADMINISTRATION_RUN, AdministrationBody
from clearance.core.model import Stop, StopKind
from clearance.errors import StoreError
from clearance.ports import BrakeStore, Journal, RecordQuery
from clearance.runtime.audit import Audit
from clearance.runtime.mediator import Clock

_SETTLED_SECONDS = 10.0  # a stop younger than this is still being recorded by whoever set it


class NoAudit(Audit):
    """Where there is no journal at all: every act is told that it is not recorded."""

    def __init__(self) -> None:
        """Nothing is opened."""

    def record(self, *_: object, **__: object) -> None:
        raise StoreError("There is no journal to record this in.")


def record_missing(store: BrakeStore, journal: Journal, *, clock: Clock) -> int:
    """Record them, marked late; how many there were. Raises StoreError."""
    audit, at, done = Audit(journal, clock), clock(), 0
    for stop in store.stops():
        if at - stop.at < timedelta(seconds=_SETTLED_SECONDS) or _is_recorded(stop, journal):
            continue
        details = {**msgspec.to_builtins(stop), "late": True}
        audit.record("brake.set", by=stop.by, target=_target_of(stop.kind, stop.name), details=details)
        done += 1
    return done


def _target_of(kind: StopKind, name: str) -> str:
    """Whom a stop is about, in a record."""
    return kind.value if kind is StopKind.ALL else f"{kind.value}:{name}"


def _is_recorded(stop: Stop, journal: Journal) -> bool:
    query = RecordQuery(run_id=ADMINISTRATION_RUN, tool="brake.set", since=stop.at, limit=10_000)
    wanted = msgspec.to_builtins(stop)["at"]
    for record in journal.search(query):
        details = record.decoded_as(AdministrationBody).details
        if (details.get("kind"), details.get("name"), details.get("at")) == (stop.kind, stop.name, wanted):
            return True
    return False
