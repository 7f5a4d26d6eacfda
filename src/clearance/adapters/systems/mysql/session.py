"""A guarded session: it alone holds the connection, and nothing it attempts outlives it before `commit`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from clearance.adapters.systems.mysql import guard
from clearance.adapters.systems.mysql.attempt import (
    POINT,
    Attempt,
    attempt_change,
    attempt_read,
    count_only,
)
from clearance.adapters.systems.mysql.connect import DEADLOCK, Link, code, is_ours, reaching, unavailable
from clearance.adapters.systems.mysql.counting import exceeds, runs_first
from clearance.adapters.systems.mysql.environment import environment_of
from clearance.adapters.systems.mysql.options import Options, Place, read_options
from clearance.adapters.systems.mysql.remembered import Remembered, StaleError
from clearance.adapters.systems.mysql.settings import not_here
from clearance.adapters.systems.mysql.viewed import Viewed
from clearance.core.classify.mysql import classify_mysql, touches_guard, transaction_control
from clearance.core.model import (
    Classification,
    EffectClass,
    Operation,
    Radius,
    Resource,
    Reversibility,
    Saved,
)
from clearance.errors import RecoveryError, RequestError, SystemUnavailableError
from clearance.ports import Measured

_CHANGES_NOTHING = frozenset({EffectClass.READ, EffectClass.SESSION})
_LEAVES_TRACES = frozenset({EffectClass.EXEC, EffectClass.ADMIN, EffectClass.UNKNOWN, EffectClass.DDL})


def open_session(name: str, options: Mapping[str, Any], *, images: Path) -> MysqlSession:  # noqa: ARG001
    """`images` is not used: copies are kept on the server, where they commit with the change itself.

    Raises ConfigurationError, SystemUnavailableError.
    """
    read, place = read_options(name, options)
    return MysqlSession(name, read, place)


class MysqlSession:
    """See ports.Session. `rowcount` of an UPDATE counts the rows it matched, also those it left alone."""

    def __init__(self, name: str, options: Options, place: Place) -> None:
        self._name, self._options, self._place = name, options, place
        self._link = Link(name, place, options)
        self._side = Link(name, place, options)
        self._catalogue = Remembered(self._side)
        self._viewed = Viewed(self._side, options.reviewed)
        self._attempt: Attempt | None = None
        self._kept = self._changes = self._foreign = False
        self._open()

    def _open(self) -> None:
        self._link.open()
        self._side.open()
        self._side.raw.autocommit(True)
        with reaching(self._name):
            guard.require(self._side)
            self._catalogue = Remembered(self._side)
            self._viewed.load()
        self._foreign = self._kept = False

    @property
    def system(self) -> str:
        return self._name or "mysql"

    @property
    def in_transaction(self) -> bool:
        return self._kept

    @property
    def fingerprint(self) -> str:
        return self._link.fingerprint

    def classify(self, statement: str) -> Classification:
        return classify_mysql(statement, routines=self._viewed.known)

    def attempt(self, statement: str, parameters: object, *, snapshot_id: str) -> Measured:
        """See ports.Session. What the driver would send is what is judged, not the text before its values."""
        self.discard()
        with reaching(self._name):
            self._begin()
            text = self._link.text(statement, parameters)
            found = self._judge(text)
        self._attempt = Attempt(text=text, found=found, snapshot_id=snapshot_id)
        if transaction_control(text):
            self._attempt = None
            raise RequestError(
                "A transaction is ended by the connection's commit() and rollback(), not by a text.",
                reason="wrong_value",
            )
        try:
            self._attempt = self._try(self._attempt)
        except StaleError as error:
            self._undo_attempt(None)
            raise SystemUnavailableError(
                f"system `{self._name}`: a table was altered while the change ran; taken back: try again"
            ) from error
        except pymysql.err.MySQLError as error:
            self._undo_attempt(error)
            if is_ours(error):
                raise unavailable(self._name, error) from error
            raise
        return self._measured(self._attempt)

    def _judge(self, text: str) -> Classification:
        """Classify by the views as they are now. What a change targets is looked at once it is held."""
        found = self.classify(text)
        changed = not found.only_reads and runs_first(found)
        named = [one.name for one in found.objects if not changed or one.operation is Operation.READ]
        if not named or self._viewed.is_current(named):
            return found
        self._viewed.load()
        return self.classify(text)

    def _try(self, attempt: Attempt) -> Attempt:
        if touches_guard(attempt.text) or not runs_first(attempt.found):
            return count_only(self._catalogue, attempt)
        self._link.run(f"SAVEPOINT {POINT}")
        if attempt.found.only_reads:
            return attempt_read(self._link, attempt)
        why = ("code that was not read ran earlier on this connection",) if self._foreign else ()
        return attempt_change(self._link, self._catalogue, attempt, self._options.most_rows, why_not=why)

    def _begin(self) -> None:
        if self._foreign and not self._changes:
            self._link.close()
            self._side.close()
            self._open()
        if not self._link.in_transaction:
            self._link.run("START TRANSACTION")

    def saved(self) -> Saved:
        attempt = self._pending()
        if attempt.short:
            raise RecoveryError(f"system `{self._name}`: {'; '.join(attempt.short)}")
        if attempt.reversibility is Reversibility.NONE and not attempt.found.only_reads:
            raise RecoveryError(f"system `{self._name}`: nothing was kept: {'; '.join(attempt.why_not)}")
        return Saved(
            snapshot_id=attempt.snapshot_id,
            system=self.system,
            fingerprint=self._link.fingerprint,
            at=datetime.now(UTC),
            resources=tuple(touch.resource for touch in attempt.touches if touch.operation != "read"),
            count=attempt.kept,
            reversibility=attempt.reversibility,
            irreversible=attempt.why_not,
        )

    def complete(self, *, at_most: Radius | None = None) -> object:
        attempt = self._pending()
        if at_most is not None:
            self._check(attempt, at_most)
        if attempt.cursor is None:
            return self._run_now(attempt, at_most)
        with reaching(self._name):
            self._link.run(f"RELEASE SAVEPOINT {POINT}")
        self._kept, self._attempt = True, None
        self._changes = self._changes or not attempt.found.only_reads
        return attempt.cursor

    def _check(self, attempt: Attempt, at_most: Radius) -> None:
        touches = attempt.touches
        if attempt.cursor is None:
            with reaching(self._name):
                touches = count_only(self._catalogue, attempt).touches
        why = exceeds(touches, at_most.touches)
        if at_most.fingerprint != self._link.fingerprint:
            why = "another server answers than the one that was approved"
        if why:
            self.discard()
            raise SystemUnavailableError(f"system `{self._name}`: not run: {why}; ask again")

    def _run_now(self, attempt: Attempt, at_most: Radius | None) -> Cursor:
        """What a rollback does not take back, now that it is cleared."""
        self._refuse(attempt)
        ends = bool(attempt.found.effects & _LEAVES_TRACES)
        try:
            if not ends:
                self._link.run(f"SAVEPOINT {POINT}")
            cursor = self._link.run(attempt.text)
        except pymysql.err.MySQLError as error:
            self._undo_attempt(error)
            self._foreign = self._foreign or ends
            if is_ours(error):
                raise unavailable(self._name, error) from error
            raise
        self._foreign = self._foreign or ends
        self._kept = self._kept or self._link.in_transaction
        self._changes = self._changes or (
            self._link.in_transaction and not attempt.found.effects <= _CHANGES_NOTHING
        )
        self._recount(attempt, cursor, at_most)
        self._attempt = None
        return cursor

    def _refuse(self, attempt: Attempt) -> None:
        why = not_here(attempt.text, attempt.found)
        if touches_guard(attempt.text):
            why = "it names the tables that keep what can be undone"
        elif attempt.found.effects & _LEAVES_TRACES and self._changes:
            why = "it may commit the changes that this transaction holds: commit or roll back first"
        if why:
            self.discard()
            raise SystemUnavailableError(f"system `{self._name}`: not run: {why}")

    def _recount(self, attempt: Attempt, cursor: Cursor, at_most: Radius | None) -> None:
        """What ran against what was approved, by the server's own count, while it can be taken back."""
        approved = [touch.count for touch in (at_most.touches if at_most else ())]
        numbers = [number for number in approved if number is not None]
        if not numbers or len(numbers) != len(approved) or not self._link.in_transaction:
            return
        if attempt.found.effects & _LEAVES_TRACES or cursor.rowcount <= sum(numbers):
            return
        self._undo_attempt(None)
        raise SystemUnavailableError(
            f"system `{self._name}`: {cursor.rowcount} rows, {sum(numbers)} approved; taken back where the"
            " tables are InnoDB's"
        )

    def discard(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        with reaching(self._name):
            if self.in_transaction:
                if attempt.cursor is not None:
                    self._link.run(f"ROLLBACK TO SAVEPOINT {POINT}")
                    self._link.pin()
            elif self._link.in_transaction:
                self._link.raw.rollback()

    def let_go(self) -> None:
        if self._changes:
            raise SystemUnavailableError(
                f"system `{self._name}`: the transaction holds earlier changes, which would be lost;"
                " commit or roll back before what needs an approval"
            )
        self._attempt = None
        with reaching(self._name):
            self._link.raw.rollback()
        self._kept = False

    def interrupt(self) -> None:
        """See ports.Session: KILL QUERY, on a connection of its own."""
        with suppress(SystemUnavailableError, pymysql.Error):
            killer = Link(self._name, self._place, self._options)
            try:
                killer.open()
                killer.run(f"KILL QUERY {self._link.thread}")
            finally:
                killer.close()

    def commit(self) -> None:
        self.discard()
        with reaching(self._name):
            self._link.raw.commit()
        self._kept = self._changes = False

    def rollback(self) -> None:
        self._attempt = None
        with reaching(self._name):
            self._link.raw.rollback()
            self._link.pin()
        self._kept = self._changes = False

    def close(self) -> None:
        """What was not committed is lost: the server takes it back."""
        self._attempt = None
        self._link.close()
        self._side.close()

    def _pending(self) -> Attempt:
        if self._attempt is None:
            raise RecoveryError(f"system `{self._name}`: no statement is attempted")
        return self._attempt

    def _undo_attempt(self, error: BaseException | None) -> None:
        """After an error: the transaction stands as before the attempt, or is gone whole after a deadlock."""
        self._attempt = None
        try:
            if error is not None and code(error) == DEADLOCK:
                self.rollback()
            elif self.in_transaction:
                self._link.run(f"ROLLBACK TO SAVEPOINT {POINT}")
                self._link.pin()
            else:
                self.rollback()
        except (pymysql.err.MySQLError, SystemUnavailableError):
            self._foreign = True  # the connection is opened anew before the next statement

    def _measured(self, attempt: Attempt) -> Measured:
        with reaching(self._name):
            environment = environment_of(self._side, self._options)
        names = {touch.resource for touch in attempt.touches if touch.operation != "read"}
        names |= {self._full(named.name) for named in attempt.found.objects}
        return Measured(
            radius=Radius(
                system=self.system,
                fingerprint=self._link.fingerprint,
                environment=environment,
                effects=attempt.found.effects,
                touches=attempt.touches,
                how=attempt.how,
                reversibility=attempt.reversibility,
                irreversible=(*attempt.why_not, *attempt.short),
                unknown=(*attempt.found.unknown, *attempt.blocked),
            ),
            operation=attempt.found.operation,
            resources=tuple(
                Resource(kind="mysql", name=f"{self.system}/{name}", environment=environment)
                for name in sorted(names)
            ),
        )

    def _full(self, name: str) -> str:
        return name if "." in name else f"{self._link.schema}.{name}"
