"""Every seam on one page: what the runtime asks of the world. Each adapter has an in-memory twin.

The seams of judges, approvals and sinks join this page with the first adapter of each. What counts on a real
system also saves and restores it (ADR 6): one seam, `System`, where two would cut through one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from clearance.core.commands import AskApproval
from clearance.core.events import Approved, Expired, Refused, Unavailable
from clearance.core.model import (
    Classification,
    Draft,
    Durability,
    Environment,
    Operation,
    Principal,
    Radius,
    Record,
    Request,
    Resource,
    Restored,
    RestoreMode,
    Saved,
)


class RunQuery(Struct, frozen=True, kw_only=True):
    """Which runs to list, newest first. Empty fields do not filter. `before` pages: runs started earlier."""

    agent: str = ""
    before: datetime | None = None
    limit: int = 50


class RunSummary(Struct, frozen=True, kw_only=True):
    """One run at a glance. `status` is `running` or `ended`; counts are of its records."""

    run_id: str
    agent: str
    goal: str
    status: str
    started_at: datetime
    last_at: datetime
    records: int
    actions: int
    refused: int
    alerts: int


class RecordQuery(Struct, frozen=True, kw_only=True):
    """Which records to find, newest first. Empty fields do not filter. `text` is sought in the body."""

    run_id: str = ""
    agent: str = ""
    tool: str = ""
    operation: str = ""
    effect: str = ""
    kind: str = ""
    status: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50


class Verification(Struct, frozen=True, kw_only=True):
    """What reading every record and recomputing every hash found. `problems` is empty when all is sound."""

    records: int
    runs: int
    head: str  # the chain's last hash: keep it elsewhere, and a cut-off tail is noticed too
    problems: tuple[str, ...] = ()


class Journal(Protocol):
    """Append-only, numbered, chained records. Safe to share between threads and between processes."""

    @property
    def node(self) -> str:
        """The id of this opened journal; it stamps every draft that names none."""

    def is_alive(self, node: str) -> bool:
        """Whether the journal that has this id is open in a living process."""

    def forget_dead(self) -> None:
        """Let go of dead nodes' ids. Only once nothing that they left is in flight."""

    def append(self, drafts: Sequence[Draft], *, durability: Durability = Durability.POWER) -> list[Record]:
        """Write all or none, and return only when they are as durable as asked. Raises StoreError."""

    def run(self, run_id: str) -> list[Record]:
        """Every kept record of a run, by `seq`. Empty when there is none."""

    def action(self, action_id: str) -> list[Record]:
        """Every kept record of one action, in order."""

    def runs(self, query: RunQuery) -> list[RunSummary]:
        """The runs that match, newest first."""

    def search(self, query: RecordQuery) -> list[Record]:
        """The records that match, newest first."""

    def in_flight(self, *, limit: int = 0) -> list[Record]:
        """Intents without an outcome, oldest first. With a limit, that many of the lowest action ids.

        Ids are made in the order of time, so these are the oldest; 0 is no limit.
        """

    def foreign(self) -> list[Record]:
        """Records that other processes wrote since the last call, in order. Cheap when there are none."""

    def verify(self, run_id: str = "") -> Verification:
        """Recompute the chain of one run, or of every run and of the journal."""

    def tend(self) -> None:
        """Housekeeping that an append would otherwise do: for a server to call often, from a thread."""

    def close(self) -> None:
        """Make everything durable and let go."""


class PolicyVersion(Struct, frozen=True, kw_only=True):
    """One stored policy document: `number` counts from 1; `document` has the form of a policy file."""

    number: int
    at: datetime
    by: str
    document: dict[str, Any]


class PolicyStore(Protocol):
    """The policies made through the API, as numbered versions of one document."""

    def current(self) -> PolicyVersion | None:
        """The newest version; None in a fresh store."""

    def revision(self) -> int:
        """The newest version's number, 0 in a fresh store. Cheap: asked before every decision."""

    def versions(self, limit: int = 50) -> list[PolicyVersion]:
        """Newest first."""

    def replace(self, document: dict[str, Any], *, expected: int, by: str, at: datetime) -> PolicyVersion:
        """Store the next version. Raises ConflictError when `expected` is no longer the newest number."""


class Agent(Struct, frozen=True, kw_only=True):
    """A non-human principal known to the store."""

    name: str
    description: str = ""
    created_at: datetime


class KeyScope(StrEnum):
    """What a key may do: AGENT acts and reads as itself; ADMIN also rules policies, agents and keys."""

    AGENT = "agent"
    ADMIN = "admin"


class StoredKey(Struct, frozen=True, kw_only=True):
    """A key as kept: never the secret, only its SHA-256 in hex."""

    key_id: str
    agent: str
    scope: KeyScope
    secret_hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class AgentStore(Protocol):
    """Agents and their keys."""

    def agents(self) -> list[Agent]:
        """By name."""

    def agent(self, name: str) -> Agent | None: ...

    def add_agent(self, agent: Agent) -> None:
        """Raises ConflictError when the name is taken."""

    def keys(self, agent: str = "") -> list[StoredKey]:
        """Of one agent or of all, oldest first."""

    def key(self, key_id: str) -> StoredKey | None: ...

    def add_key(self, key: StoredKey) -> None: ...

    def revoke_key(self, key_id: str, at: datetime) -> None:
        """Raises NotFoundError. Revoking twice keeps the first time."""

    def close(self) -> None:
        """Let go."""


class Identity(Protocol):
    """Credentials in, principal out."""

    def identify(self, credential: str, at: datetime) -> tuple[Principal, KeyScope]:
        """Raises AuthenticationError, which never says why in detail."""


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


class Approvals(Protocol):
    """Asks a person. The first adapter comes with holds; without one the machine is told Unavailable."""

    def ask(self, command: AskApproval) -> Approved | Refused | Expired | Unavailable:
        """Blocks until somebody answered, or nobody will."""


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

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...
