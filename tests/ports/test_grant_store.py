"""What every store of grants promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from clearance.core.model import Grant
from clearance.errors import ConflictError, NotFoundError
from clearance.ports import GrantStore, State
from tests.ports.threads import at_once

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=30)


@pytest.fixture
def grants(state: State) -> GrantStore:
    return state.grants


def grant(name: str, *, minutes: int = 0, **fields: Any) -> Grant:
    return Grant(
        grant_id=f"grant_{name}",
        created_at=NOON + timedelta(minutes=minutes),
        **{"agent": "crm", "tool": "refund", "by": "ann", "expires_at": LATER, "most_uses": 2, **fields},
    )


def test_a_grant_is_found_whole(grants: GrantStore) -> None:
    made = grant("a", policies=("refunds",), resources=("db:*",), most_records=20, reason="the sale", used=1)
    grants.add_grant(made)
    assert grants.grant("grant_a") == made
    assert grants.grant("grant_b") is None


def test_a_grants_id_is_taken_once(grants: GrantStore) -> None:
    grants.add_grant(grant("a"))
    with pytest.raises(ConflictError):
        grants.add_grant(grant("a", agent="other"))
    assert grants.grants() == [grant("a")]


def test_grants_are_listed_newest_first_by_agent_and_while_valid(grants: GrantStore) -> None:
    old, new, other = grant("a", minutes=1), grant("b", minutes=2), grant("c", agent="bot", expires_at=NOON)
    for each in (new, old, other):
        grants.add_grant(each)
    assert grants.grants() == [new, old, other]
    assert grants.grants(limit=1) == [new]
    assert grants.grants(agent="bot") == [other]
    assert grants.grants(valid_at=NOON) == [new, old]
    assert grants.grants(agent="bot", valid_at=NOON - timedelta(microseconds=1)) == [other]
    assert grants.grants(agent="crm", valid_at=LATER) == []


def test_valid_grants_for_the_agent_and_the_tool_match_oldest_first(grants: GrantStore) -> None:
    late, early = grant("a", minutes=2), grant("b", minutes=1)
    others = [
        grant("c", agent="bot"),
        grant("d", tool="refund_all"),
        grant("e", used=2),
        grant("f", expires_at=NOON),
        grant("g", revoked_at=NOON, revoked_by="bob"),
    ]
    for each in (late, early, *others):
        grants.add_grant(each)
    assert grants.matching_grants("crm", "refund", NOON) == [early, late]
    assert grants.matching_grants("crm", "refund", LATER) == []
    assert grants.matching_grants("crm", "refund_", NOON) == []


def test_a_grant_allows_as_many_uses_as_it_says(grants: GrantStore) -> None:
    grants.add_grant(grant("a"))
    before = grants.revision()
    assert grants.use_grants(("grant_a",), NOON)
    assert grants.use_grants(("grant_a",), NOON)
    assert not grants.use_grants(("grant_a",), NOON)
    assert grants.grant("grant_a") == grant("a", used=2)
    assert grants.matching_grants("crm", "refund", NOON) == []
    assert grants.revision() == before


def test_several_grants_are_used_all_or_none(grants: GrantStore) -> None:
    grants.add_grant(grant("a", most_uses=9))
    grants.add_grant(grant("b", most_uses=1))
    assert grants.use_grants(("grant_a", "grant_b"), NOON)
    assert not grants.use_grants(("grant_a", "grant_b"), NOON)
    assert not grants.use_grants(("grant_a", "grant_x"), NOON)
    assert grants.grant("grant_a") == grant("a", most_uses=9, used=1)
    assert grants.use_grants((), NOON)


def test_a_grant_named_twice_is_used_once(grants: GrantStore) -> None:
    grants.add_grant(grant("a"))
    assert grants.use_grants(("grant_a", "grant_a"), NOON)
    assert grants.grant("grant_a") == grant("a", used=1)


def test_a_grant_is_not_used_past_its_time_nor_after_it_was_revoked(grants: GrantStore) -> None:
    grants.add_grant(grant("a"))
    assert not grants.use_grants(("grant_a",), LATER)
    grants.revoke_grant("grant_a", by="bob", at=NOON)
    assert not grants.use_grants(("grant_a",), NOON)
    assert grants.grant("grant_a") == grant("a", revoked_at=NOON, revoked_by="bob")


def test_revoking_twice_keeps_the_first(grants: GrantStore) -> None:
    grants.add_grant(grant("a"))
    before = grants.revision()
    revoked = replace(grant("a"), revoked_at=NOON, revoked_by="bob")
    assert grants.revoke_grant("grant_a", by="bob", at=NOON) == revoked
    assert grants.revision() > before
    assert grants.revoke_grant("grant_a", by="eve", at=LATER) == revoked
    with pytest.raises(NotFoundError):
        grants.revoke_grant("grant_b", by="bob", at=NOON)


def test_of_fifty_uses_at_once_a_grant_of_twenty_allows_twenty(grants: GrantStore) -> None:
    grants.add_grant(grant("a", most_uses=20))
    answers = at_once(50, lambda _: grants.use_grants(("grant_a",), NOON))
    assert answers.count(True) == 20
    assert grants.grant("grant_a") == grant("a", most_uses=20, used=20)
