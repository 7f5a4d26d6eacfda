"""A guarded session: each statement is run behind a savepoint, counted, captured, then kept or taken back.

It holds the only connection. It decides nothing: whether an attempt is kept is its caller's word.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
from msgspec import Struct
from msgspec.structs import replace
from psycopg.pq import ExecStatus, TransactionStatus

from clearance.adapters.systems.postgres.attempt import Cursor, Runner
from clearance.adapters.systems.postgres.connection import Connection, Server, reached
from clearance.adapters.systems.postgres.limits import exceeds, of_rows, of_text
from clearance.adapters.systems.postgres.options import Options
from clearance.adapters.systems.postgres.placeholders import assumed, native
from clearance.adapters.systems.postgres.radius import Judged, judge
from clearance.adapters.systems.postgres.reader import UNREAD, Reader, Reading
from clearance.core.model import Classification, EffectClass, Radius, Resource, Saved
from clearance.errors import RecoveryError, SystemUnavailableError
from clearance.ports import Measured

_IN_NO_BLOCK = "25001"  # what VACUUM, CREATE DATABASE and CREATE INDEX CONCURRENTLY answer in a transaction
_CANCEL_SECONDS = 2.0
_READ_ONLY = "25006"


class _Attempt(Struct, kw_only=True):
    """The one statement under way. Without a cursor it was looked at, and not run."""

    statement: str
    parameters: Any
    snapshot_id: str
    read: Reading
    judged: Judged
    opened: bool  # the transaction began with it
    cursor: Cursor | None = None
    behind: bool = False  # its savepoint stands
    number: int = 0


class PostgresSession:
    """ports.Session for PostgreSQL."""

    def __init__(
        self, name: str, connection: Connection, *, server: Server, options: Options, reader: Reader
    ) -> None:
        self._name = name
        self._connection = connection
        self._server = server
        self._options = options
        self._reader = reader
        self._runner = Runner(connection, server, most_rows=options.most_rows)
        self._attempt: _Attempt | None = None
        self._last: _Attempt | None = None
        self._kept = False

    @property
    def system(self) -> str:
        return self._name or "postgres"

    @property
    def fingerprint(self) -> str:
        return self._server.fingerprint

    @property
    def in_transaction(self) -> bool:
        return self._connection.info.transaction_status is not TransactionStatus.IDLE

    def classify(self, statement: str) -> Classification:
        opened = not self.in_transaction
        try:
            read = self._reader.read(statement)
            if read.refused and "%" in statement:
                read = self._reader.read(assumed(statement))
            return read.classification
        finally:
            if opened:
                self._roll_back()

    def attempt(self, statement: str, parameters: object, *, snapshot_id: str) -> Measured:
        """See ports.Session. A statement that only reads runs where the engine refuses to write."""
        if self._attempt is not None:
            raise SystemUnavailableError("the statement before is neither completed nor discarded")
        opened = not self.in_transaction
        try:
            text, values = native(statement, parameters)
            read = self._reader.read(text)
            if read.refused == UNREAD:
                self._runner.parse(text)  # a mistake in it is told in the server's own words
            if read.refused:
                raise SystemUnavailableError(read.refused)
            made = _Attempt(
                statement=text,
                parameters=values,
                snapshot_id=snapshot_id,
                read=read,
                judged=self._by_text(read),
                opened=opened,
            )
            if not self._untried(read):
                self._try(made)
        except BaseException as error:
            self._end(opened=opened)
            raise self._lost(error) from None
        self._attempt = self._last = made
        return Measured(
            radius=replace(made.judged.radius, environment=self._server.environment),
            operation=_classified(made).operation,
            resources=self._resources(made),
        )

    def saved(self) -> Saved:
        made = self._last
        if made is None:
            raise RecoveryError("nothing was attempted yet")
        if not made.judged.complete:
            raise RecoveryError(
                "fewer rows were captured than the engine counted; see docs/systems/postgres.md"
            )
        radius = made.judged.radius
        changed = [touch for touch in radius.touches if touch.operation.value != "read"]
        return Saved(
            snapshot_id=made.snapshot_id,
            system=self.system,
            fingerprint=self._server.fingerprint,
            at=datetime.now(UTC),
            resources=tuple(dict.fromkeys(touch.resource for touch in changed)),
            count=sum(touch.count or 0 for touch in changed),
            reversibility=radius.reversibility,
            irreversible=radius.irreversible,
        )

    def complete(self, *, at_most: Radius | None = None) -> object:
        made = self._taken()
        if made.cursor is None:
            return self._run_now(made, at_most)
        self._hold_to(made, at_most)
        if made.behind:
            self._keep(made)
        return made.cursor

    def discard(self) -> None:
        made, self._attempt = self._attempt, None
        if made is None:
            return
        if made.behind:
            self._runner.back()
        self._end(opened=made.opened)

    def let_go(self) -> None:
        if self._kept:
            raise SystemUnavailableError(
                "the transaction holds earlier changes, which waiting for a person would lose: "
                "commit them, or roll them back, and try again"
            )
        self.rollback()

    def interrupt(self) -> None:
        """See ports.Session: a cancel request, on a connection of its own."""
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def commit(self) -> None:
        if self._attempt is not None:
            raise SystemUnavailableError("the last statement is neither completed nor discarded")
        try:
            self._connection.commit()
        except psycopg.Error as error:
            raise self._lost(error) from None
        finally:
            self._kept = False

    def rollback(self) -> None:
        self._attempt = None
        self._kept = False
        self._reader.forget()
        if not self._connection.closed:
            with reached("roll back"):
                self._connection.rollback()

    def close(self) -> None:
        """What was not committed is gone with the connection."""
        self._connection.close()

    def _taken(self) -> _Attempt:
        made, self._attempt = self._attempt, None
        if made is None:
            raise SystemUnavailableError("there is no attempt: call attempt() first")
        return made

    def _untried(self, read: Reading) -> tuple[str, ...]:
        """Why it is not tried: a rollback would not take it back, or code could leave the database."""
        if read.why_not:
            return read.why_not
        if EffectClass.EXEC in read.classification.effects and not self._options.trust_functions:
            return self._server.escapes
        return ()

    def _try(self, made: _Attempt) -> None:
        if made.read.classification.only_reads:
            try:
                made.cursor = self._runner.read(made.statement, made.parameters)
                made.judged = of_rows(made.judged.radius, made.read.classification, rows=made.cursor.rowcount)
                return
            except psycopg.Error as error:
                if error.sqlstate != _READ_ONLY:
                    raise
        self._write(made)

    def _write(self, made: _Attempt) -> None:
        """Run it and judge it. What moves the ground under the guard is taken back at once."""
        run = self._runner.write(made.statement, made.parameters, snapshot_id=made.snapshot_id)
        if run.found.written.settings:
            self._runner.back()
            changed = ", ".join(run.found.written.settings)
            raise SystemUnavailableError(
                f"the statement changes what the guard rests on ({changed}); it was taken back"
            )
        made.cursor, made.number, made.behind = run.cursor, run.number, True
        read = made.read.classification
        judged = judge(self.system, self._server.fingerprint, read=read, found=run.found)
        lost = judged.radius.irreversible
        if not any("sequence" in line for line in lost):  # one that moved earlier in the transaction
            lost = (*lost, *made.read.left_over)
        made.judged = Judged(radius=_with(judged.radius, lost), complete=judged.complete)

    def _keep(self, made: _Attempt) -> None:
        lost = made.judged.radius.irreversible
        if made.number and (lost or not made.judged.complete):
            with reached("note what a snapshot lacks"):
                self._connection.execute(
                    "SELECT clearance_guard.note(%s, %s, %s)", (made.number, made.judged.complete, list(lost))
                )
        self._runner.keep()
        self._kept = True
        if EffectClass.DDL in made.judged.radius.effects:
            self._reader.forget()

    def _hold_to(self, made: _Attempt, at_most: Radius | None) -> None:
        over = exceeds(made.judged.radius, at_most) if at_most is not None else ()
        if over:
            if made.behind:
                self._runner.back()
            self._end(opened=made.opened)
            raise SystemUnavailableError(
                f"what ran exceeds what was approved ({'; '.join(over)}); it was taken back"
            )

    def _run_now(self, made: _Attempt, at_most: Radius | None) -> Cursor:
        """Run what could not be tried: counted and captured like the rest, as far as that goes."""
        try:
            self._write(made)
        except psycopg.Error as error:
            self._end(opened=made.opened)
            if error.sqlstate != _IN_NO_BLOCK or not made.opened:
                raise self._lost(error) from None
            return self._alone(made)
        self._hold_to(made, at_most)
        self._keep(made)
        assert made.cursor is not None
        return made.cursor

    def _alone(self, made: _Attempt) -> Cursor:
        """Outside any transaction, because the engine asks for that. Nothing can be counted or taken back."""
        cursor: Cursor = psycopg.RawCursor(self._connection)
        self._connection.autocommit = True
        try:
            with self._connection.pipeline():
                cursor.execute(made.statement, made.parameters, prepare=False)
        except psycopg.Error as error:
            raise self._lost(error) from None
        finally:
            if not self._connection.closed:
                self._connection.autocommit = False
        return cursor

    def _end(self, *, opened: bool) -> None:
        self._reader.forget()
        if opened:
            self._roll_back()

    def _roll_back(self) -> None:
        """Beside psycopg's own rollback, which forgets every prepared statement."""
        if self._connection.closed:
            return
        result = self._connection.pgconn.exec_(b"ROLLBACK")
        if result.status != ExecStatus.COMMAND_OK and not self._connection.closed:
            with reached("roll back"):
                raise psycopg.errors.error_from_result(result, "utf-8")

    def _lost(self, error: BaseException) -> BaseException:
        """The statement's own error; ours where it was the connection that broke."""
        if isinstance(error, psycopg.Error) and self._connection.closed:
            self._kept = False
            return SystemUnavailableError("the connection to PostgreSQL broke; nothing uncommitted is kept")
        return error

    def _by_text(self, read: Reading) -> Judged:
        why = self._untried(read)
        return of_text(self.system, self._server.fingerprint, read=read.classification, why=why)

    def _resources(self, made: _Attempt) -> tuple[Resource, ...]:
        touched = [touch.resource for touch in made.judged.radius.touches if "." in touch.resource]
        named = [named.name for named in made.read.classification.objects]
        return tuple(
            Resource(kind="postgres", name=f"{self.system}/{name}", environment=self._server.environment)
            for name in dict.fromkeys([*touched, *named])
        )


def _classified(made: _Attempt) -> Classification:
    """By its text and by what the engine saw."""
    read = made.read.classification
    return Classification(effects=made.judged.radius.effects, objects=read.objects, unknown=read.unknown)


def _with(radius: Radius, lost: tuple[str, ...]) -> Radius:
    return replace(radius, irreversible=tuple(dict.fromkeys(lost)))
