"""The hash chain: it covers every field of a record, and can be recomputed from this file alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from clearance.core.model import Draft, RecordKind
from clearance.core.model.record import GENESIS, digest, link, seal

DRAFT = Draft(
    run_id="run-1",
    kind=RecordKind.INTENT,
    at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    agent="billing",
    node="host-1",
    action_id="act-1",
    tool="send_email",
    operation="send",
    effect="allow",
    status="",
    body=msgspec.Raw(b'{"a":1}'),
)
CHANGED: dict[str, Any] = {
    "run_id": "run-2",
    "kind": RecordKind.REFUSAL,
    "at": DRAFT.at + timedelta(microseconds=1),
    "agent": "other",
    "node": "host-2",
    "action_id": "act-2",
    "tool": "send_mail",
    "operation": "read",
    "effect": "deny",
    "status": "failed",
    "body": msgspec.Raw(b'{"a":2}'),
}


def test_every_field_of_a_draft_has_a_changed_value_here() -> None:
    assert set(CHANGED) == set(Draft.__struct_fields__)


@pytest.mark.parametrize("field", sorted(CHANGED))
def test_a_change_of_any_field_changes_the_hash(field: str) -> None:
    other = msgspec.structs.replace(DRAFT, **{field: CHANGED[field]})
    assert digest(other, seq=1, prev_hash=GENESIS) != digest(DRAFT, seq=1, prev_hash=GENESIS)


def test_a_change_of_place_changes_the_hash() -> None:
    first = digest(DRAFT, seq=1, prev_hash=GENESIS)
    assert digest(DRAFT, seq=2, prev_hash=GENESIS) != first
    assert digest(DRAFT, seq=1, prev_hash=first) != first


def test_text_moved_from_one_field_to_the_next_changes_the_hash() -> None:
    moved = msgspec.structs.replace(DRAFT, tool="send_emails", operation="end")
    original = msgspec.structs.replace(DRAFT, tool="send_email", operation="send")
    assert digest(moved, seq=1, prev_hash=GENESIS) != digest(original, seq=1, prev_hash=GENESIS)


def test_the_hash_of_a_known_record_never_changes_between_releases() -> None:
    assert (
        digest(DRAFT, seq=7, prev_hash=GENESIS)
        == "dc621b3134c3577723b92be6530c40006c7ec1caebd2cf3ad076d86208698da8"
    )


def test_a_sealed_record_carries_its_draft_its_place_and_both_chains() -> None:
    record = seal(DRAFT, seq=7, prev_hash=GENESIS, position=42, prev_chain="f" * 64)
    assert all(getattr(record, field) == getattr(DRAFT, field) for field in Draft.__struct_fields__)
    assert (record.seq, record.position, record.prev_hash) == (7, 42, GENESIS)
    assert record.hash == digest(DRAFT, seq=7, prev_hash=GENESIS)
    assert record.chain == link("f" * 64, record.hash)
    assert record.decoded() == {"a": 1}


def test_the_journal_chain_depends_on_what_came_before() -> None:
    assert link("0" * 64, "a" * 64) != link("1" * 64, "a" * 64)
    assert link("0" * 64, "a" * 64) != link("0" * 64, "b" * 64)
