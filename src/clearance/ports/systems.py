"""Real systems: what counts on one also saves and restores it (ADR 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from clearance.core.model import (
    Classification,
    Environment,
    Operation,
    Radius,
    Request,
    Resource,
    Restored,
    RestoreMode,
    Saved,
)


class SystemInfo(Struct, frozen=True, kw_only=True):
    """Which real system answers behind a configured name, and what is guaranteed there.

    `fingerprint` names the server itself, not how it was reached. `can` and `cannot` are sentences.
    """

    name: str
    kind: str
    fingerprint: str
    environment: Environment
    can: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()


class Measured(Struct, frozen=True, kw_only=True):
    """What looking at the real system told. It replaces what the call's own text was read as.

    `operation` None and empty `resources` mean: the call was understood well enough without.
    """

    radius: Radius
    operation: Operation | None = None
    resources: tuple[Resource, ...] = ()


class System(Protocol):
    """One real system behind configured resources: it counts, saves and restores. Thread-safe.

    `names` are the system's own names of what a request touches (`public.accounts`, `reports/2026`), as the
    configuration maps them. Every method talks to the world and may block for as long as its time limits say.
    """

    @property
    def name(self) -> str: ...

    def info(self) -> SystemInfo:
        """Raises SystemUnavailableError."""

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        """Count what the request would touch; change nothing that outlives the call.

        Raises SystemUnavailableError; what can be reached but not counted is `unknown` in the radius.
        """

    def save(self, request: Request, names: Sequence[str], *, snapshot_id: str) -> Saved:
        """Keep the state of what the request would touch, durably, before it runs.

        `request.action.arguments["record_ids"]`, where given, says which records. Saving twice under one id
        keeps the first. Raises SystemUnavailableError, RecoveryError.
        """

    def settle(self, snapshot_id: str) -> None:
        """The action has ended: note how things stand now, so that later changes by others are told apart.

        Where the images hold that already, there is nothing to do. Called once, again after a crash; not
        raising for an unknown id. Raises SystemUnavailableError.
        """

    def verify(self, snapshot_id: str) -> Saved:
        """Read a snapshot whole. Raises NotFoundError, RecoveryError where it is not as it was saved."""

    def restore(self, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode) -> Restored:
        """Put back what was saved, and keep what is replaced under `as_snapshot`, so that it can be undone.

        A conflict under ALL changes nothing and is reported, not raised. Restoring twice is ALREADY_UNDONE.
        After a crash at any point the same call goes on where it stopped. Raises NotFoundError,
        SystemUnavailableError, RecoveryError.
        """

    def forget(self, snapshot_id: str) -> None:
        """Remove a snapshot's images for good. Not raising when there are none."""

    def close(self) -> None: ...


class Target(Protocol):
    """What one action touches, bound to the systems that it touches it in. Lives as long as the action."""

    @property
    def systems(self) -> tuple[str, ...]:
        """Their configured names."""

    def system_of(self, resource: Resource, /) -> str:
        """The one of them that a resource of the call lies in; empty when it lies in none."""

    def measure(self, request: Request, /) -> tuple[Measured, ...]:
        """One for each system. Raises ClearanceError: then what would be touched is not known."""

    def save(self, request: Request, /, *, snapshot_id: str) -> tuple[Saved, ...]:
        """Keep the state first. Raises ClearanceError: then it was not kept, and nothing may run."""

    def let_go(self) -> None:
        """Hold no lock while a person decides. Raises ClearanceError where that cannot be."""


class Session(Protocol):
    """A guarded database session: it alone holds the connection. One statement at a time, not thread-safe.

    attempt -> complete | discard | let_go, then commit or rollback. Nothing that was attempted is visible to
    anybody else, or outlives the session, before `commit`.
    """

    @property
    def system(self) -> str:
        """The configured name, or the kind where there is none."""

    @property
    def in_transaction(self) -> bool: ...

    def classify(self, statement: str) -> Classification:
        """What one statement would do, by its text and the catalogue. What cannot be read is UNKNOWN."""

    def attempt(self, statement: str, parameters: object, *, snapshot_id: str) -> Measured:
        """Run the statement inside the open transaction, behind a savepoint, count what it touched and keep
        images of it under `snapshot_id`. What cannot be taken back by a rollback is not run, but counted as
        far as it can be. Raises SystemUnavailableError, or the driver's own error of the statement.
        """

    def saved(self) -> Saved:
        """What was captured of the attempt. Raises RecoveryError when it is less than the engine counted."""

    def complete(self, *, at_most: Radius | None = None) -> object:
        """Keep the attempt, or run now what could only be run; the driver's cursor with every result in it.

        Raises SystemUnavailableError where what ran exceeds `at_most`; then it was taken back.
        """

    def discard(self) -> None:
        """Take the attempt back; nothing to do without one. The transaction stands as before it."""

    def let_go(self) -> None:
        """Take the attempt back and free every lock, so that a person may decide at leisure.

        Raises SystemUnavailableError when the transaction holds earlier changes, which would be lost.
        """

    def interrupt(self) -> None:
        """From another thread: have the statement that runs on the server fail, where the engine can. Raises
        nothing, waits for nothing; without one that runs there is nothing to do.
        """

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...
