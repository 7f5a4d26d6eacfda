"""The connection of PEP 249 over a guarded session. It alone reaches the database; nothing hands it out."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from clearance.core.model import CheckResult
from clearance.errors import PolicyViolationError, RequestError
from clearance.ports import Session
from clearance.sdk.braked import STOPPED, stopped
from clearance.sdk.current import current_run
from clearance.sql.cursor import Cursor
from clearance.sql.statement import Statement, call_of, cleared, report, stop_of


class _Kept(Struct, frozen=True, kw_only=True):
    """A statement of the open transaction."""

    action_id: str
    rows: int
    agent: str


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
        self._pending: list[_Kept] = []
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
        """Make what was kept real, and tell the trace. Raises the driver's error: then nothing was.

        Raises PolicyViolationError, and rolls back, when one whose statements it holds was stopped since.
        """
        self._check_open()
        self._stay_free(kept.agent for kept in self._pending)
        self._session.commit()
        pending, self._pending = self._pending, []
        for kept in pending:
            report(self._client.backend, [kept.action_id], rows=kept.rows)

    def rollback(self) -> None:
        """Take back everything since the last commit, and tell the trace."""
        self._check_open()
        self._take_back("rolled back")

    def _take_back(self, why: str) -> None:
        pending, self._pending = self._pending, []
        try:
            self._session.rollback()
        finally:
            report(self._client.backend, [kept.action_id for kept in pending], error=why)

    def _stay_free(self, agents: Iterable[str]) -> None:
        """The brake once more, at the last moment before a commit."""
        try:
            reason = stop_of(self._client.backend, dict.fromkeys(agents))
        except BaseException:
            self._take_back("the brake could not be read")
            raise
        if reason is not None:
            self._take_back(STOPPED)
            raise stopped(reason)

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
        with backend.in_flight.during(call, lambda _: self._session.interrupt()) as running:
            try:
                result = cleared(backend, statement, self._session, call)
                done = self._completed(result, agent)
            except Exception as error:
                if running.reason is None:
                    raise
                self._take_back(STOPPED)  # its transaction too: nobody stopped keeps locks
                raise stopped(running.reason) from error
        rows = int(getattr(done, "rowcount", -1))
        if self.autocommit or not self._session.in_transaction:
            report(backend, [result.action_id], rows=rows)
        else:
            self._pending.append(_Kept(action_id=result.action_id, rows=rows, agent=agent))
        return result, done

    def _completed(self, result: CheckResult, agent: str) -> Any:
        """Keep the statement, and with autocommit make it real."""
        try:
            done = self._session.complete(at_most=result.radius[0] if result.radius else None)
            if self.autocommit:
                agents = dict.fromkeys([agent, *(kept.agent for kept in self._pending)])
                reason = stop_of(self._client.backend, agents)
                if reason is not None:
                    raise stopped(reason, result.action_id)
                self._session.commit()
        except BaseException as error:
            report(self._client.backend, [result.action_id], error=_not_kept(error))
            self._session.discard()
            if isinstance(error, PolicyViolationError):
                self._take_back(STOPPED)
            raise
        return done

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


def _not_kept(error: BaseException) -> str:
    return STOPPED if isinstance(error, PolicyViolationError) else f"{type(error).__name__}: not kept"
