"""Group commit: many threads hand in work, one of them does everything that is pending, the others wait.

Whoever finds nobody at work leads, at once and in its own thread: a lone caller pays no hop and no delay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from clearance.errors import StoreError

Job = TypeVar("Job")
Result = TypeVar("Result")


class _Ticket(Generic[Job, Result]):
    """One caller's place in the queue. `leads` and `error` are set before `called` is released."""

    __slots__ = ("called", "error", "job", "leads", "result")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.called = threading.Lock()
        self.called.acquire()
        self.leads = False
        self.result: Result | None = None
        self.error: BaseException | None = None


class GroupCommit(Generic[Job, Result]):
    """`commit` does a whole group or raises; it is never called by two threads at once."""

    def __init__(self, commit: Callable[[Sequence[Job]], Sequence[Result]]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._pending: list[_Ticket[Job, Result]] = []
        self._led = False

    def submit(self, job: Job) -> Result:
        """Return once `job` is committed. Raises what `commit` raised for its group."""
        ticket: _Ticket[Job, Result] = _Ticket(job)
        with self._lock:
            self._pending.append(ticket)
            if not self._led:
                self._led = ticket.leads = True
        if not ticket.leads:
            self._wait(ticket)
        if ticket.leads:
            self._lead()
        return _outcome(ticket)

    def _wait(self, ticket: _Ticket[Job, Result]) -> None:
        try:
            ticket.called.acquire()
        except BaseException:
            # Interrupted: nobody may be left waiting for a leader that went away.
            with self._lock:
                if ticket in self._pending:
                    self._pending.remove(ticket)
                if ticket.leads:
                    self._hand_over()
            raise

    def _lead(self) -> None:
        with self._lock:
            group, self._pending = self._pending, []
        try:
            for ticket, result in zip(group, self._commit([ticket.job for ticket in group]), strict=True):
                ticket.result = result
        except BaseException as error:
            for ticket in group:
                ticket.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            with self._lock:
                self._hand_over()
            for ticket in group:
                if not ticket.leads:
                    ticket.called.release()

    def _hand_over(self) -> None:
        self._led = bool(self._pending)
        if self._pending:
            self._pending[0].leads = True
            self._pending[0].called.release()


def _outcome(ticket: _Ticket[Job, Result]) -> Result:
    # Each caller raises an error of its own: one object raised in many threads mixes their tracebacks.
    if isinstance(ticket.error, StoreError):
        raise type(ticket.error)(str(ticket.error)) from ticket.error
    if ticket.error is not None:
        message = "The write was interrupted and may not be stored. Read back before trying again."
        raise StoreError(message) from ticket.error
    assert ticket.result is not None
    return ticket.result
