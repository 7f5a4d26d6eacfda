"""The brake of a store, opened without anything else: who has to stop something must not need the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from clearance.adapters.store import SqliteJournal, SqliteState
from clearance.config import Settings
from clearance.errors import StoreError
from clearance.ports import Journal, State
from clearance.runtime.audit import Audit
from clearance.runtime.brake import Brake, Tell
from clearance.runtime.grants import Grants, maker_of
from clearance.runtime.holds import Holds
from clearance.runtime.late import NoAudit
from clearance.runtime.names import new_id
from clearance.runtime.notices import Notices
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
        tell = Notices(state.outbox, (), settings.notices, clock=utc_now, new_id=new_id).tell
        void_agent = None
        audit: Audit = NoAudit()
        if journal is not None:
            audit = Audit(journal, utc_now)
            void_agent = _holds(state, journal, audit, tell).void_agent
        yield brake_of(state, audit, clock=utc_now, new_id=new_id, tell=tell, void_agent=void_agent)


def _holds(state: State, journal: Journal, audit: Audit, tell: Tell) -> Holds:
    """Good for making void only: nobody is asked, so no policies are read."""
    grants = Grants(state.grants, maker_of(state.people), audit, clock=utc_now, new_id=new_id)
    return Holds(state.holds, journal, grants, policy_version=lambda: "", clock=utc_now, tell=tell)
