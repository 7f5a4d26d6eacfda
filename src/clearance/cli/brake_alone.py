"""The brake of a store, opened without anything else: who has to stop something must not need the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from clearance.adapters.store import SqliteJournal, SqliteState
from clearance.config import Settings
from clearance.errors import StoreError
from clearance.runtime.audit import Audit
from clearance.runtime.brake import Brake
from clearance.runtime.late import NoAudit
from clearance.runtime.names import new_id
from clearance.runtime.quarantine import brake_of
from clearance.wiring import utc_now


@contextmanager
def brake_alone(settings: Settings) -> Iterator[Brake]:
    """The brake of a store, also where policies do not compile, or the journal is broken."""
    directory, journal = Path(settings.store), None
    with ExitStack() as opened:
        state = opened.enter_context(closing(SqliteState(directory)))
        with suppress(StoreError):
            journal = opened.enter_context(closing(SqliteJournal(directory)))
        audit = NoAudit() if journal is None else Audit(journal, utc_now)
        yield brake_of(state, audit, clock=utc_now, new_id=new_id)
