"""A run's append-only lines: what a record holds, and the hash that chains each to the one before.

`seal` is the only place where a hash is made; a verifier needs this file and the stored rows, nothing else.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")

GENESIS = "0" * 64  # the hash before the first record of a run, and before the first of a journal


class Durability(StrEnum):
    """What a written record survives: POWER a power cut (fsync), PROCESS the death of every process."""

    POWER = "power"
    PROCESS = "process"


class RecordKind(StrEnum):
    """What a line tells. Each belongs to a run; those between NOTE and ADMINISTRATION to an action of it."""

    RUN_STARTED = "run_started"
    NOTE = "note"
    REFUSAL = "refusal"  # decided against: nothing ran
    HOLD = "hold"  # decided against until a person lifts it
    INTENT = "intent"  # decided for, and durable before anything ran
    SNAPSHOT = "snapshot"  # state saved, before anything ran
    APPROVAL = "approval"  # what a person said of a hold, or how it was closed
    OUTCOME = "outcome"
    ADMINISTRATION = "administration"  # what a person did to agents, policies, people or the brake
    RUN_ENDED = "run_ended"


class OutcomeStatus(StrEnum):
    """How an executed action ended. UNKNOWN: nobody reported, and nobody will be believed to have."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_REPORTED = (
        "not_reported"  # the door never expects a report (an access evaluation for another gateway)
    )


class Draft(Struct, frozen=True, kw_only=True):
    """A record before the store numbers and seals it. `body` is JSON, already redacted for storage."""

    run_id: str
    kind: RecordKind
    at: datetime
    agent: str
    node: str = ""  # the process that wrote it
    action_id: str = ""
    tool: str = ""
    operation: str = ""
    effect: str = ""
    status: str = ""
    body: msgspec.Raw = msgspec.Raw(b"{}")


class Record(Struct, frozen=True, kw_only=True):
    """One line of a run. `seq` counts from 1 without gaps in its run.

    `hash` chains the run (over every field above it and `prev_hash`); `chain` chains the whole journal, so
    that a run taken out whole is noticed too. `position` is the record's place in the journal.
    """

    run_id: str
    seq: int
    kind: RecordKind
    at: datetime
    agent: str
    node: str
    action_id: str
    tool: str
    operation: str
    effect: str
    status: str
    body: msgspec.Raw
    prev_hash: str
    hash: str
    position: int
    chain: str

    def decoded_as(self, kind: type[T]) -> T:
        """The body as one of the bodies of `core.drafts`. Raises msgspec.ValidationError."""
        return msgspec.json.decode(self.body, type=kind)

    def decoded(self) -> dict[str, Any]:
        """The body as plain values."""
        value: dict[str, Any] = msgspec.json.decode(self.body)
        return value


_ENCODER = msgspec.json.Encoder()


def digest(draft: Draft, *, seq: int, prev_hash: str) -> str:
    """SHA-256, in hex, over the JSON array of every field of the record and the hash before it."""
    fields = (
        "clearance.record.v1",
        prev_hash,
        draft.run_id,
        seq,
        draft.kind,
        draft.at,
        draft.agent,
        draft.node,
        draft.action_id,
        draft.tool,
        draft.operation,
        draft.effect,
        draft.status,
        bytes(draft.body).decode("utf-8"),
    )
    return hashlib.sha256(_ENCODER.encode(fields)).hexdigest()


def link(prev_chain: str, record_hash: str) -> str:
    """The journal's chain: SHA-256, in hex, of the chain before and this record's hash."""
    return hashlib.sha256(f"{prev_chain}{record_hash}".encode()).hexdigest()


def seal(draft: Draft, *, seq: int, prev_hash: str, position: int, prev_chain: str) -> Record:
    """Number and chain one draft. Pure: the store supplies where it stands."""
    record_hash = digest(draft, seq=seq, prev_hash=prev_hash)
    return Record(
        run_id=draft.run_id,
        seq=seq,
        kind=draft.kind,
        at=draft.at,
        agent=draft.agent,
        node=draft.node,
        action_id=draft.action_id,
        tool=draft.tool,
        operation=draft.operation,
        effect=draft.effect,
        status=draft.status,
        body=draft.body,
        prev_hash=prev_hash,
        hash=record_hash,
        position=position,
        chain=link(prev_chain, record_hash),
    )
