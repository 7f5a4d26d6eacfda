"""Reading a statement before it runs: what it would do, and what is never run. Asks only the catalogue."""

from __future__ import annotations

import time
from typing import Final

from msgspec import Struct

from clearance.adapters.systems.postgres.catalogue import DatabaseCatalogue
from clearance.adapters.systems.postgres.connection import Connection
from clearance.core.classify.postgres import statements, touches_guard, transaction_control, understand
from clearance.core.classify.postgres_parse import UnreadableError, parse
from clearance.core.model import Classification, EffectClass

_TRANSACTION: Final = (
    "a statement that begins or ends a transaction is not run here: "
    "use commit() and rollback() of the connection"
)
_GUARD: Final = (
    "the statement reaches for what guards this session (the schema clearance_guard, triggers, settings)"
)
UNREAD: Final = "the statement cannot be read, so nothing is known of what it would do"
_COPY: Final = "COPY from or to the client is not offered here: use INSERT or SELECT"
_SEVERAL: Final = (
    "give one statement at a time, and not none: what cannot be told apart cannot be counted apart"
)


_KEPT_SECONDS: Final = 1.0  # what somebody else changes in the catalogue is seen after that
_MOST_KEPT: Final = 64


class Reading(Struct, frozen=True, kw_only=True):
    """`refused` says why a session never runs this; `why_not` why it cannot be tried and taken back."""

    classification: Classification
    why_not: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    refused: str = ""


class Reader:
    """Understands statements as the session's own connection would: by its search path and its rights."""

    def __init__(self, connection: Connection) -> None:
        self._catalogue = DatabaseCatalogue(connection, keep_seconds=_KEPT_SECONDS)
        self._readings: dict[str, tuple[float, Reading]] = {}

    def read(self, statement: str) -> Reading:
        """Never raises for what the text says. The same text within a second is the same reading."""
        known = self._readings.get(statement)
        if known is not None and time.monotonic() - known[0] < _KEPT_SECONDS:
            return known[1]
        at, made = time.monotonic(), self._read(statement)
        if EffectClass.UNKNOWN not in made.classification.effects:
            if len(self._readings) >= _MOST_KEPT:
                self._readings.clear()
            self._readings[statement] = (at, made)
        return made

    def _read(self, statement: str) -> Reading:
        understood = understand(statement, self._catalogue)
        return Reading(
            classification=understood.classification,
            why_not=understood.rehearsal.why_not,
            left_over=understood.rehearsal.left_over,
            refused=_refused(statement),
        )

    def forget(self) -> None:
        """The shape of the database may have changed."""
        self._readings.clear()
        self._catalogue.forget()


def _refused(statement: str) -> str:
    """Parsed apart from the classification, so that a gap in that does not open this one."""
    try:
        trees = [raw.stmt for raw in parse(statement).stmts]
    except UnreadableError:
        return UNREAD
    if any(tree.HasField("copy_stmt") and not tree.copy_stmt.filename for tree in trees):
        return _COPY
    if len(statements(statement)) != 1:
        return _SEVERAL
    if transaction_control(statement):
        return _TRANSACTION
    return _GUARD if touches_guard(statement) else ""
