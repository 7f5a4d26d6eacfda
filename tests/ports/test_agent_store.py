"""What every store of agents promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from clearance.core.model import Agent, AgentSource, AgentStatus, Environment
from clearance.errors import ConflictError, NotFoundError
from clearance.ports import AgentStore, State

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
CRM = Agent(
    name="crm",
    created_at=NOON + timedelta(seconds=1),
    owner="ann",
    team="sales",
    purpose="Keeps the contacts",
    environment=Environment.PRODUCTION,
    version="2.1",
    roles=("reader", "writer"),
    source=AgentSource.PROVIDER,
)


@pytest.fixture
def agents(state: State) -> AgentStore:
    return state.agents


def test_agents_are_listed_by_name(agents: AgentStore) -> None:
    support = Agent(name="support", purpose="Answers mail", created_at=NOON)
    agents.add_agent(support)
    agents.add_agent(CRM)
    assert agents.agents() == [CRM, support]
    assert agents.agent("support") == support
    assert agents.agent("nobody") is None


def test_a_taken_name_is_refused(agents: AgentStore) -> None:
    agents.add_agent(CRM)
    before = agents.revision()
    with pytest.raises(ConflictError):
        agents.add_agent(replace(CRM, purpose="another"))
    assert (agents.agents(), agents.revision()) == ([CRM], before)


def test_an_agent_that_was_looked_for_in_vain_is_found_once_it_is_there(agents: AgentStore) -> None:
    assert agents.agent("crm") is None
    agents.add_agent(CRM)
    assert agents.agent("crm") == CRM


def test_a_replaced_agent_is_seen_at_once_and_moves_the_revision(agents: AgentStore) -> None:
    agents.add_agent(CRM)
    assert agents.agent("crm") == CRM
    before = agents.revision()
    retired = replace(CRM, status=AgentStatus.RETIRED)
    agents.replace_agent(retired)
    assert agents.agent("crm") == retired
    assert agents.agents() == [retired]
    assert agents.revision() > before


def test_an_unknown_agent_cannot_be_replaced(agents: AgentStore) -> None:
    before = agents.revision()
    with pytest.raises(NotFoundError):
        agents.replace_agent(CRM)
    assert (agents.agents(), agents.revision()) == ([], before)
