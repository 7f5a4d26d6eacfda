"""A guarded session: it alone holds the connection, and each statement is tried before it is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from clearance.adapters.systems.sqlite.attempt import (
    SAVEPOINT,
    Attempt,
    Statement,
    back_to_savepoint,
    begin_write,
    set_savepoint,
)
from clearance.adapters.systems.sqlite.connection import connect, environment_of, unavailable
from clearance.adapters.systems.sqlite.copies import file_of
from clearance.adapters.systems.sqlite.counting import deferred_radius, measured, run_counted, run_reading
from clearance.adapters.systems.sqlite.options import Target, read_target
from clearance.adapters.systems.sqlite.reading import Reading, read_statement
from clearance.adapters.systems.sqlite.result import Result, run
from clearance.core.model import Classification, EffectClass, Radius, Saved
from clearance.errors import RecoveryError, SystemUnavailableError
from clearance.ports import Measured


def open_session(name: str, options: Mapping[str, Any], *, images: Path) -> SqliteSession:
    """Raises ConfigurationError, SystemUnavailableError."""
    return SqliteSession(read_target(name, options, images=images))


class _Open(Struct, kw_only=True):
    """The statement that waits for its end. `attempt` is None where it was not run yet."""

    statement: Statement
    radius: Radius
    attempt: Attempt | None = None
    began: bool = False  # it opened the transaction
    has_savepoint: bool = False


class SqliteSession:
    """One connection, one statement at a time. Not thread-safe."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection = connect(target)
        self._environment = environment_of(target, self._connection)
        self._open: _Open | None = None
        self._has_changes = False
        self._closed = False
        self._copies: list[Path] = []  # of this transaction

    @property
    def system(self) -> str:
        return self._target.name

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def classify(self, statement: str) -> Classification:
        with unavailable(self.system):
            return read_statement(self._connection, statement).classification

    def attempt(self, statement: str, parameters: object, *, snapshot_id: str) -> Measured:
        if self._open is not None:
            raise SystemUnavailableError("a statement is open: complete or discard it first")
        with unavailable(self.system):
            reading = self._read(statement)
            made = Statement(text=statement, parameters=parameters, reading=reading, snapshot_id=snapshot_id)
            if not reading.can_be_rolled_back:
                self._open = _Open(statement=made, radius=deferred_radius(self._target, made))
            elif reading.classification.only_reads:
                found = run_reading(self._target, self._connection, made)
                self._open = _Open(statement=made, radius=found.radius, attempt=found)
            else:
                self._open = self._try(made)
        return measured(self._target, reading, self._open.radius, environment=self._environment)

    def saved(self) -> Saved:
        """Raises RecoveryError also where nothing could be captured: the sentence says why."""
        if self._open is None or self._open.attempt is None:
            raise RecoveryError(
                f"system `{self.system}`: the statement was not run, so nothing of it is kept"
            )
        attempt = self._open.attempt
        if attempt.head is None:
            raise RecoveryError(attempt.lost or f"system `{self.system}`: a reading statement has no images")
        return attempt.head.saved()

    def complete(self, *, at_most: Radius | None = None) -> Result:
        waiting = self._waiting()
        if waiting.attempt is None:
            return self._run_now(waiting, at_most=at_most)
        if at_most is not None:
            self._compare(waiting, at_most)
        return self._keep(waiting, waiting.attempt)

    def discard(self) -> None:
        waiting, self._open = self._open, None
        if waiting is None:
            return
        if waiting.has_savepoint:
            back_to_savepoint(self._connection)
        if waiting.began and self.in_transaction:
            self._connection.execute("ROLLBACK")
        if waiting.attempt is not None and waiting.attempt.head is not None and waiting.attempt.head.file:
            file_of(self._target, waiting.statement.snapshot_id).unlink(missing_ok=True)

    def let_go(self) -> None:
        if self._has_changes:
            raise SystemUnavailableError(
                f"system `{self.system}`: the transaction holds earlier changes: commit or roll back first"
            )
        self.discard()
        if self.in_transaction:
            self._connection.execute("ROLLBACK")

    def interrupt(self) -> None:
        """See ports.Session. The one call that the engine takes from another thread."""
        if not self._closed:
            self._connection.interrupt()

    def commit(self) -> None:
        if self._open is not None:
            raise SystemUnavailableError("a statement is open: complete or discard it first")
        if self.in_transaction:
            with unavailable(self.system):
                self._connection.execute("COMMIT")
        self._has_changes = False
        self._copies = []

    def rollback(self) -> None:
        self.discard()
        if self.in_transaction:
            self._connection.execute("ROLLBACK")
        self._forget_copies()

    def close(self) -> None:
        """Takes back what was not committed. Closing twice is closing once."""
        if not self._closed:
            self.rollback()
            self._connection.close()
            self._closed = True

    def _forget_copies(self) -> None:
        for path in self._copies:
            path.unlink(missing_ok=True)
        self._copies = []
        self._has_changes = False

    def _read(self, statement: str) -> Reading:
        reading = read_statement(self._connection, statement)
        if reading.refused:
            raise SystemUnavailableError(
                f"system `{self.system}`: a guarded session does not run this: {reading.refused}"
            )
        if reading.error is not None:
            raise reading.error
        return reading

    def _try(self, made: Statement) -> _Open:
        began = not self.in_transaction
        if began:
            begin_write(self._connection)
        try:
            set_savepoint(self._connection)
            # Under the lock nobody changes the schema any more: read again what was read without it.
            reading = self._read(made.text)
            if not reading.can_be_rolled_back:
                raise SystemUnavailableError(
                    f"system `{self.system}`: the schema was changed meanwhile: try again"
                )
            made = Statement(
                text=made.text, parameters=made.parameters, reading=reading, snapshot_id=made.snapshot_id
            )
            found = run_counted(self._target, self._connection, made, has_changes=self._has_changes)
        except BaseException:
            self._after_failure(began=began)
            raise
        return _Open(statement=made, radius=found.radius, attempt=found, began=began, has_savepoint=True)

    def _after_failure(self, *, began: bool) -> None:
        """The driver's error goes on; a constraint may have ended the whole transaction by itself."""
        back_to_savepoint(self._connection)
        if began and self.in_transaction:
            self._connection.execute("ROLLBACK")
        if not self.in_transaction:
            self._forget_copies()

    def _run_now(self, waiting: _Open, *, at_most: Radius | None) -> Result:
        """What no rollback takes back, or is not understood: once it is cleared, and counted if it can be."""
        self._open = None
        made = waiting.statement
        with unavailable(self.system):
            if EffectClass.UNKNOWN not in made.reading.classification.effects:
                if made.reading.first == "VACUUM" and self.in_transaction:
                    raise SystemUnavailableError(
                        "VACUUM needs no open transaction: commit or roll back first"
                    )
                rewrites = made.reading.first == "VACUUM"
                return run(
                    self._connection,
                    made.text,
                    made.parameters,
                    changes_rows=False,
                    rewrites_file=rewrites,
                )
            tried = self._try_unknown(made)
        if at_most is not None and any(touch.count is not None for touch in at_most.touches):
            self._open = tried
            self._compare(tried, at_most)
        assert tried.attempt is not None
        return self._keep(tried, tried.attempt)

    def _try_unknown(self, made: Statement) -> _Open:
        began = not self.in_transaction
        if began:
            begin_write(self._connection)
        try:
            set_savepoint(self._connection)
            found = run_counted(self._target, self._connection, made, has_changes=self._has_changes)
        except BaseException:
            self._after_failure(began=began)
            raise
        return _Open(statement=made, radius=found.radius, attempt=found, began=began, has_savepoint=True)

    def _keep(self, waiting: _Open, attempt: Attempt) -> Result:
        self._open = None
        if waiting.has_savepoint:
            self._connection.execute(f"RELEASE {SAVEPOINT}")
            self._has_changes = True
        if attempt.head is not None and attempt.head.file:
            self._copies.append(file_of(self._target, waiting.statement.snapshot_id))
        return attempt.result

    def _waiting(self) -> _Open:
        if self._open is None:
            raise SystemUnavailableError("nothing was attempted: there is nothing to complete")
        return self._open

    def _compare(self, waiting: _Open, at_most: Radius) -> None:
        """Take it back where it is more than what was cleared, of anything."""
        over = _excess(waiting.radius, at_most)
        if over:
            self.discard()
            raise SystemUnavailableError(
                f"system `{self.system}`: it would touch more than was cleared ({over}): nothing was "
                "changed; ask again"
            )


_NONE: Final = -1


def _excess(found: Radius, cleared: Radius) -> str:
    """The first thing that was not cleared, or not so often. The uncounted passes only as uncounted."""
    if found.fingerprint != cleared.fingerprint:
        return "another database answers now"
    allowed = _sums(cleared)
    for key, count in _sums(found).items():
        most = allowed.get(key)
        if most is None and count != 0:
            return f"{key[0]} {key[1].value}, which was not cleared"
        if most is not None and most is not _NONE and (count == _NONE or count > most):
            return f"{key[0]} {key[1].value}: {'not counted' if count == _NONE else count}, cleared {most}"
    return ""


def _sums(radius: Radius) -> dict[tuple[str, Any], int]:
    found: Counter[tuple[str, Any]] = Counter()
    for touch in radius.touches:
        key = (touch.resource, touch.operation)
        found[key] = _NONE if touch.count is None or found[key] == _NONE else found[key] + touch.count
    return dict(found)
