"""What every store of agents and keys promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clearance.errors import ConflictError, NotFoundError
from clearance.ports import Agent, AgentStore, KeyScope, StoredKey

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def key(key_id: str, agent: str = "crm", *, minutes: int = 0) -> StoredKey:
    return StoredKey(
        key_id=key_id,
        agent=agent,
        scope=KeyScope.AGENT,
        secret_hash="ab" * 32,
        created_at=NOON + timedelta(minutes=minutes),
        expires_at=NOON + timedelta(days=1) if minutes else None,
    )


def test_agents_are_listed_by_name(state: AgentStore) -> None:
    support = Agent(name="support", description="Answers mail", created_at=NOON)
    crm = Agent(name="crm", created_at=NOON + timedelta(seconds=1))
    state.add_agent(support)
    state.add_agent(crm)
    assert state.agents() == [crm, support]
    assert state.agent("support") == support
    assert state.agent("nobody") is None


def test_a_taken_name_is_refused(state: AgentStore) -> None:
    state.add_agent(Agent(name="crm", created_at=NOON))
    with pytest.raises(ConflictError):
        state.add_agent(Agent(name="crm", description="another", created_at=NOON))
    assert state.agents() == [Agent(name="crm", created_at=NOON)]


def test_keys_are_listed_oldest_first_and_by_agent(state: AgentStore) -> None:
    late, early, other = key("k1", minutes=5), key("k2", minutes=1), key("k3", "support")
    for each in (late, early, other):
        state.add_key(each)
    assert state.keys() == [other, early, late]
    assert state.keys("crm") == [early, late]
    assert state.key("k1") == late
    assert state.key("k9") is None


def test_a_key_id_is_used_once(state: AgentStore) -> None:
    state.add_key(key("k1"))
    with pytest.raises(ConflictError):
        state.add_key(key("k1", "support"))


def test_revoking_twice_keeps_the_first_time(state: AgentStore) -> None:
    state.add_key(key("k1"))
    state.revoke_key("k1", NOON)
    state.revoke_key("k1", NOON + timedelta(hours=1))
    stored = state.key("k1")
    assert stored is not None
    assert stored.revoked_at == NOON


def test_a_key_that_does_not_exist_cannot_be_revoked(state: AgentStore) -> None:
    with pytest.raises(NotFoundError):
        state.revoke_key("k1", NOON)
