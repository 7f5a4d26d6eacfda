"""The connection of PEP 249 over a guarded session. It alone reaches the database; nothing hands it out."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from clearance.core.model import CheckResult
from clearance.errors import RequestError
from clearance.ports import Session
from clearance.sdk.current import current_run
from clearance.sql.cursor import Cursor
from clearance.sql.statement import Statement, call_of, cleared, report


class Connection:
    """Made by `clearance.sql.connect`. Not to be shared between threads.

    Without autocommit a statement's outcome is told at `commit` or `rollback`, when it is known.
    """

    def __init__(
        self, session: Session, client: Any, *, kind: str, autocommit: bool, owns_client: bool
    ) -> None:
        self._session = session
        self._client = client
        self._kind = kind
        self._owns_client = owns_client
        self._pending: list[tuple[str, int]] = []
        self._closed = False
        self.autocommit = autocommit

    def cursor(self) -> Cursor:
        """A cursor; several share the connection's transaction."""
        self._check_open()
        return Cursor(self)

    def execute(self, statement: str, parameters: object = None) -> Cursor:
        """A cursor that has run the statement."""
        return self.cursor().execute(statement, parameters)

    def commit(self) -> None:
        """Make what was kept real, and tell the trace. Raises the driver's error: then nothing was."""
        self._check_open()
        self._session.commit()
        pending, self._pending = self._pending, []
        for action_id, rows in pending:
            report(self._client.backend, [action_id], rows=rows)

    def rollback(self) -> None:
        """Take back everything since the last commit, and tell the trace."""
        self._check_open()
        pending, self._pending = self._pending, []
        try:
            self._session.rollback()
        finally:
            report(self._client.backend, [action_id for action_id, _ in pending], error="rolled back")

    def close(self) -> None:
        """Take back what was not committed, and let go. Closing twice is once."""
        if self._closed:
            return
        try:
            self.rollback()
        finally:
            self._closed = True
            self._session.close()
            if self._owns_client:
                self._client.close()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def in_transaction(self) -> bool:
        return self._session.in_transaction

    def run(self, text: str, parameters: object) -> tuple[CheckResult, Any]:
        """Clear one statement, keep it; the decision, and the driver's cursor with every result in it.

        Raises PolicyViolationError when it was refused, the driver's error when it failed by itself.
        """
        self._check_open()
        backend = self._client.backend
        agent, run_id = self._whose()
        statement = Statement(self._session, text, parameters)
        call = call_of(self._session, self._kind, text, parameters, agent=agent, run_id=run_id)
        result = cleared(backend, statement, self._session, call)
        try:
            done = self._session.complete(at_most=result.radius[0] if result.radius else None)
            if self.autocommit:
                self._session.commit()
        except BaseException as error:
            report(backend, [result.action_id], error=f"{type(error).__name__}: not kept")
            self._session.discard()
            raise
        rows = int(getattr(done, "rowcount", -1))
        if self.autocommit or not self._session.in_transaction:
            report(backend, [result.action_id], rows=rows)
        else:
            self._pending.append((result.action_id, rows))
        return result, done

    def _whose(self) -> tuple[str, str]:
        run = current_run.get()
        if run is not None and run.backend is self._client.backend:
            return run.agent, run.run_id
        whose = self._client.outside_run()[1]
        return whose["agent"], whose["run_id"]

    def _check_open(self) -> None:
        if self._closed:
            raise RequestError("This connection is closed.", reason="wrong_value")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or roll back when an exception leaves with the block; then close."""
        try:
            if error is None:
                self.commit()
        finally:
            self.close()
