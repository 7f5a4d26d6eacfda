"""The client: embedded on a local store, or talking to a server; the same API for both."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clearance.config import Settings, load_settings
from clearance.core.model import (
    ActionCall,
    CheckResult,
    Environment,
    HoldStatus,
    HoldView,
    Operation,
    OutcomeReport,
    OutcomeStatus,
    Record,
    RestoreMode,
    Saved,
    Undone,
)
from clearance.errors import ClearanceError
from clearance.ports import HoldQuery, PolicyVersion, RunQuery, RunSummary
from clearance.sdk.backend import Backend
from clearance.sdk.call import action_call
from clearance.sdk.current import current_run
from clearance.sdk.embedded import EmbeddedBackend
from clearance.sdk.holding import checked_seconds
from clearance.sdk.perform import aclear, clear
from clearance.sdk.run import Run
from clearance.sdk.unreachable import UNANSWERED, checked


class Policies:
    """The policies made through the API. Each change is checked whole before it is stored."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def list(self) -> list[dict[str, Any]]:
        """The stored policies, in the form they were written in."""
        version = self._backend.policies()
        return list(version.document.get("policies", [])) if version else []

    def create(self, policy: Mapping[str, Any]) -> PolicyVersion:
        """Add one policy; the same one again changes nothing. Raises PolicyError, ConflictError."""
        return self._backend.create_policy(dict(policy))

    def replace(self, name: str, policy: Mapping[str, Any]) -> PolicyVersion:
        """Put one policy in the place of another. Raises PolicyError, NotFoundError."""
        return self._backend.replace_policy(name, dict(policy))

    def delete(self, name: str) -> PolicyVersion:
        """Take one policy out. Raises NotFoundError."""
        return self._backend.delete_policy(name)


class Client:
    """`Client()` is embedded: a store in `.clearance/` here, or in `path` (`memory` keeps it in memory).

    `Client(url=..., api_key=...)` talks to `clearance serve`. CLEARANCE_URL, CLEARANCE_API_KEY,
    CLEARANCE_STORE, CLEARANCE_AGENT and CLEARANCE_POLICIES stand in for what is not given. With
    CLEARANCE_RUN_ID all that goes to that server belongs to this run, which whoever began it ends.
    Thread-safe. Raises ConfigurationError, PolicyError, StoreError.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        url: str | None = None,
        api_key: str | None = None,
        agent: str | None = None,
        policies: str | Path | Sequence[str | Path] | None = None,
        environment: Environment | str | None = None,
        timeout_seconds: float | None = None,
        wait_for_approval_seconds: float | None = None,
    ) -> None:
        files = [policies] if isinstance(policies, str | Path) else policies
        settings = load_settings(
            store=None if path is None else str(path),
            url="" if path is not None and url is None else url,
            api_key=api_key,
            agent=agent,
            policies=None if files is None else [str(file) for file in files],
            timeout_seconds=timeout_seconds,
            wait_for_approval_seconds=checked_seconds(wait_for_approval_seconds),
        )
        self._agent = settings.agent or ("" if settings.url else _program())
        self._environment = None if environment is None else Environment(environment)
        self.backend = _backend(settings)
        self.policies = Policies(self.backend)
        self._borrowed = settings.run_id if settings.url else ""
        self._run_id = self._borrowed
        self._lock = threading.Lock()

    def check(
        self,
        action: str,
        resource: str | Sequence[str] = (),
        *,
        payload: Mapping[str, Any] | None = None,
        on_unreachable: str = "refuse",
        **details: Any,
    ) -> CheckResult:
        """Decide one action before you run it: `result.blocked`, `result.reason`.

        `payload` is your own description; its numbers count as facts (`record_count`). Further details are
        the fields of ActionCall: arguments, facts, operation, environment, run_id, goal, hold_id. Tell how it
        ended with `report`. Where people are asked, `result.hold_id` is set: `wait` for them, then check the
        same call with it.

        Raises UnreachableError when nobody answers, unless `on_unreachable="allow"` on a read.
        """
        call = self._call(action, resource, payload, details)
        return clear(self.backend, call, checked(on_unreachable, _declared(call)))

    async def acheck(
        self,
        action: str,
        resource: str | Sequence[str] = (),
        *,
        payload: Mapping[str, Any] | None = None,
        on_unreachable: str = "refuse",
        **details: Any,
    ) -> CheckResult:
        """`check` for an event loop."""
        call = self._call(action, resource, payload, details)
        return await aclear(self.backend, call, checked(on_unreachable, _declared(call)))

    def report(self, checked_action: CheckResult | str, *, result: Any = None, error: str = "") -> None:
        """Tell how a checked action ended: failed when there is an `error`.

        Raises NotFoundError, ConflictError (told already).
        """
        action_id = checked_action if isinstance(checked_action, str) else checked_action.action_id
        self.backend.report(action_id, _report(result, error))

    async def areport(
        self, checked_action: CheckResult | str, *, result: Any = None, error: str = ""
    ) -> None:
        """`report` for an event loop."""
        action_id = checked_action if isinstance(checked_action, str) else checked_action.action_id
        await self.backend.areport(action_id, _report(result, error))

    def run(
        self,
        goal: str = "",
        agent: str | None = None,
        *,
        environment: Environment | str | None = None,
        run_id: str = "",
    ) -> Run:
        """One agent task, for `with` or `async with`. A server takes the agent's name from the key.

        With a `run_id` it goes on with that run, after a crash for instance: a call that was held in it, and
        approved since, runs when it is made again.
        """
        where = self._environment if environment is None else Environment(environment)
        name = self._agent if agent is None else agent
        borrowed = self._borrowed if not run_id and current_run.get() is None else ""
        return Run(
            self.backend,
            agent=name,
            goal=goal,
            environment=where,
            run_id=run_id or borrowed,
            borrowed=bool(borrowed),
        )

    def wait(self, hold_id: str, seconds: float) -> HoldView:
        """A hold as soon as somebody has decided it, or as it is after so long: `hold.status`.

        Raises NotFoundError, UnreachableError.
        """
        return self.backend.wait_hold(hold_id, seconds)

    async def await_answer(self, hold_id: str, seconds: float) -> HoldView:
        """`wait` for an event loop."""
        return await self.backend.await_hold(hold_id, seconds)

    def holds(
        self, *, status: HoldStatus | str | None = None, run_id: str = "", limit: int = 50
    ) -> list[HoldView]:
        """What of this agent is held, newest first. A person's token, or a store, shows everybody's."""
        wanted = None if status is None else HoldStatus(status)
        return self.backend.holds(HoldQuery(status=wanted, run_id=run_id, limit=limit))

    def snapshot(self, resource: str | Sequence[str], *, record_ids: Sequence[Any] | None = None) -> str:
        """Save the state of a configured resource, or of these records of it; the id is for `rollback`.

        Raises NotFoundError when no configured system holds it, PolicyViolationError, RecoveryError,
        SystemUnavailableError.
        """
        ids = None if record_ids is None else list(record_ids)
        names = resource if isinstance(resource, str) else tuple(resource)
        return self.backend.snapshot(names, record_ids=ids, agent=self._whose(), run_id=self._inside_run())

    def rollback(self, snapshot_id: str, *, mode: RestoreMode | str = RestoreMode.ALL) -> Undone:
        """Put back what a snapshot holds. `mode="plan"` changes nothing and tells what would be done;
        `mode="free"` leaves out what somebody changed since. Again is ALREADY_UNDONE.

        Raises RestoreConflictError (its `keys` name what was changed since; nothing was restored),
        NotFoundError, PolicyViolationError, RecoveryError, SystemUnavailableError.
        """
        return self.undo(snapshot_id, mode=mode)

    def undo(self, action: str | CheckResult, *, mode: RestoreMode | str = RestoreMode.ALL) -> Undone:
        """Put back what one action changed, wherever its state was captured. See `rollback`."""
        action_id = action if isinstance(action, str) else action.action_id
        return self.backend.undo(
            action_id, mode=RestoreMode(mode), agent=self._whose(), run_id=self._inside_run()
        )

    def undo_run(self, run_id: str, *, mode: RestoreMode | str = RestoreMode.ALL) -> list[Undone]:
        """Undo every action of a run that changed something, newest first; it stops at a conflict."""
        return self.backend.undo_run(run_id, mode=RestoreMode(mode), agent=self._whose())

    def verify(self, snapshot_id: str) -> list[Saved]:
        """Read a snapshot whole. Raises RecoveryError where it is not as it was saved, NotFoundError."""
        return self.backend.verify(snapshot_id)

    def runs(self, *, agent: str = "", limit: int = 50) -> list[RunSummary]:
        """The newest runs."""
        return self.backend.runs(RunQuery(agent=agent, limit=limit))

    def trace(self, run_id: str) -> list[Record]:
        """Every record of a run, in order."""
        return self.backend.trace(run_id)

    def close(self) -> None:
        """End the run of what was done outside any run, make everything durable and let go."""
        run_id, self._run_id = self._run_id, ""
        if run_id and run_id != self._borrowed:
            with contextlib.suppress(ClearanceError):  # a server that is gone closes nothing any more
                self.backend.end_run(run_id, status=OutcomeStatus.SUCCEEDED, error="")
        self.backend.close()

    async def aclose(self) -> None:
        """`close` for an event loop."""
        run_id, self._run_id = self._run_id, ""
        if run_id and run_id != self._borrowed:
            with contextlib.suppress(ClearanceError):
                await self.backend.aend_run(run_id, status=OutcomeStatus.SUCCEEDED, error="")
        await self.backend.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def outside_run(self) -> tuple[Backend, dict[str, Any]]:
        """Whom to ask for an action outside any run, and whose it is: one run for the client's whole life."""
        with self._lock:
            if not self._run_id:
                with contextlib.suppress(*UNANSWERED):  # the action itself will say so
                    self._run_id = self.backend.start_run(agent=self._agent, goal="", parent_run_id="")
        whose = {"agent": self._agent, "run_id": self._run_id, "environment": self._environment}
        return self.backend, whose

    def _inside_run(self) -> str:
        run = current_run.get()
        if run is not None and run.backend is self.backend:
            return run.run_id
        return str(self.outside_run()[1]["run_id"])

    def _whose(self) -> str:
        run = current_run.get()
        return run.agent if run is not None and run.backend is self.backend else self._agent

    def _call(
        self,
        action: str,
        resource: str | Sequence[str],
        payload: Mapping[str, Any] | None,
        details: dict[str, Any],
    ) -> ActionCall:
        run = current_run.get()
        if run is not None and run.backend is self.backend and "run_id" not in details:
            return run.describe(action, resource, payload=payload, **details)
        whose = {} if "run_id" in details else self.outside_run()[1]
        return action_call(action, resource, **{**whose, "agent": self._agent, "payload": payload, **details})


def _backend(settings: Settings) -> Backend:
    if not settings.url:
        return EmbeddedBackend(settings)
    from clearance.sdk.remote import RemoteBackend  # the HTTP client takes longer to import than all the rest

    return RemoteBackend(settings)


def _declared(call: ActionCall) -> Operation | None:
    """What the caller says it is, in so many words; a tool's name says nothing here."""
    if call.operation is not None:
        return call.operation
    return Operation(call.action) if call.action in set(Operation) else None


def _report(result: Any, error: str) -> OutcomeReport:
    status = OutcomeStatus.FAILED if error else OutcomeStatus.SUCCEEDED
    return OutcomeReport(status=status, result=result, error=error)


def _program() -> str:
    """An agent that gave no name is called after its program."""
    return Path(sys.argv[0]).stem or "agent" if sys.argv and sys.argv[0] not in ("", "-c", "-m") else "agent"
