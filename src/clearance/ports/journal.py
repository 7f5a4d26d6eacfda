"""The journal: append-only, numbered, chained records, and how they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from clearance.core.model import Draft, Durability, Record
from clearance.ports.state import CallSoon


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

    def sync(self) -> None:
        """Make whatever was appended proof against a power cut. Raises StoreError.

        Waits for the disk and for nothing else, and keeps no append waiting: for a thread beside those.
        """

    def run(self, run_id: str) -> list[Record]:
        """Every kept record of a run, by `seq`. Empty when there is none."""

    def action(self, action_id: str) -> list[Record]:
        """Every kept record of one action, in order."""

    def runs(self, query: RunQuery) -> list[RunSummary]:
        """The runs that match, newest first. The administrative record is none of them."""

    def search(self, query: RecordQuery) -> list[Record]:
        """The records that match, newest first."""

    def in_flight(self, *, limit: int = 0) -> list[Record]:
        """Intents without an outcome, oldest first. With a limit, that many of the lowest action ids.

        Ids are made in the order of time, so these are the oldest; 0 is no limit.
        """

    def foreign(self) -> list[Record]:
        """Records that other processes wrote since the last call, in order. Cheap when there are none."""

    def follow_turns(self, call_soon: CallSoon | None) -> None:
        """As `State.follow_turns`: `foreign` looks once in each turn of the event loop in this thread."""

    def verify(self, run_id: str = "") -> Verification:
        """Recompute the chain of one run, or of every run and of the journal."""

    def tend(self) -> None:
        """Housekeeping that an append would otherwise do: for a server to call often, from a thread."""

    def close(self) -> None:
        """Make everything durable and let go."""
