"""The registry: what it adds to whoever acts, how agents come and go, and that every change is recorded."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from clearance.adapters.store import MemoryJournal
from clearance.adapters.store.memory_state.agents import MemoryAgents
from clearance.core.model import (
    Actor,
    ActorKind,
    Agent,
    AgentSource,
    AgentStatus,
    Environment,
    Principal,
)
from clearance.errors import ConflictError, NotFoundError, RequestError
from clearance.ports import RecordQuery
from clearance.runtime.audit import Audit
from clearance.runtime.registry import Registry

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class RevokedKeys:
    """Notes whose keys were to end."""

    def __init__(self) -> None:
        self.of: list[tuple[str, str]] = []

    def revoke_all(self, subject: str, *, by: str) -> object:
        self.of.append((subject, by))
        return []


class CountingAgents(MemoryAgents):
    """Counts how often an agent is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def agent(self, name: str) -> Agent | None:
        self.reads += 1
        return super().agent(name)


class Made:
    """A registry on a store and a journal of its own."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.store = CountingAgents()
        self.keys = RevokedKeys()
        audit = Audit(self.journal, lambda: AT)
        self.registry = Registry(self.store, audit, clock=lambda: AT, keys=self.keys)

    def acts(self) -> list[tuple[str, str, str]]:
        found = self.journal.search(RecordQuery(kind="administration"))
        return [(one.tool, one.agent, one.decoded()["target"]) for one in reversed(found)]


@pytest.fixture
def made() -> Made:
    return Made()


def agent(name: str, **fields: object) -> Agent:
    return Agent(name=name, created_at=AT, **fields)  # type: ignore[arg-type]


def test_an_agent_that_nobody_registered_is_taken_as_it_came(made: Made) -> None:
    came = Principal(agent="stranger", roles=("reader",), team="guests")
    assert made.registry.known(came) == came


def test_roles_team_owner_and_status_are_the_registrys_and_roles_of_the_credential_stay(made: Made) -> None:
    made.registry.register(agent("bot", roles=("a", "b"), team="payments", owner="person:eve"), by="person:x")
    known = made.registry.known(Principal(agent="bot", roles=("b", "c"), team="elsewhere"))
    assert known.roles == ("b", "c", "a")
    assert (known.team, known.owner, known.status) == ("payments", "person:eve", AgentStatus.ACTIVE)


def test_agents_of_the_chain_get_their_roles_and_teams_and_people_of_the_same_name_do_not(made: Made) -> None:
    made.registry.register(agent("boss", roles=("lead",), team="ops"), by="person:x")
    chain = (Actor(name="boss"), Actor(name="boss", kind=ActorKind.PERSON))
    known = made.registry.known(Principal(agent="bot", on_behalf_of=chain))
    assert known.on_behalf_of == (Actor(name="boss", roles=("lead",), team="ops"), chain[1])


def test_who_acts_for_a_retired_agent_is_as_retired_as_that_one(made: Made) -> None:
    made.registry.register(agent("boss"), by="person:x")
    made.registry.register(agent("bot"), by="person:x")
    asked = Principal(agent="bot", on_behalf_of=(Actor(name="boss"),))
    assert made.registry.known(asked).status is AgentStatus.ACTIVE
    made.registry.retire("boss", by="person:x")
    assert made.registry.known(asked).status is AgentStatus.RETIRED
    unregistered = Principal(agent="new", on_behalf_of=(Actor(name="boss"),))
    assert made.registry.known(unregistered).status is AgentStatus.RETIRED


def test_a_known_agent_is_read_once_until_any_agent_changes(made: Made) -> None:
    made.registry.register(agent("bot", team="a"), by="person:x")
    made.store.reads = 0
    for _ in range(100):
        made.registry.known(Principal(agent="bot"))
        made.registry.known(Principal(agent="nobody"))
    assert made.store.reads == 2
    # Another process writes past this registry: the store's revision tells.
    made.store.replace_agent(agent("bot", team="b"))
    assert made.registry.known(Principal(agent="bot")).team == "b"


def test_what_is_known_costs_the_same_among_ten_thousand_as_among_ten() -> None:
    def cost_seconds(agents: int) -> float:
        made = Made()
        for number in range(agents):
            made.store.add_agent(agent(f"bot-{number}", team="t"))
        principals = [Principal(agent=f"bot-{number}") for number in range(agents)]
        for principal in principals:
            made.registry.known(principal)
        best = 1.0
        for _ in range(7):
            began = time.perf_counter()
            for _ in range(20_000 // agents):
                for principal in principals:
                    made.registry.known(principal)
            best = min(best, time.perf_counter() - began)
        return best / 20_000

    few, many = cost_seconds(10), cost_seconds(10_000)
    assert many < 5 * few + 1e-6  # far above noise and cache misses, far below anything that grows


def test_a_declared_agent_is_registered_on_its_first_run_and_only_then(made: Made) -> None:
    made.registry.seen("bot")
    made.registry.seen("bot")
    (one,) = made.registry.agents()
    assert (one.name, one.source, one.roles) == ("bot", AgentSource.DECLARED, ())


@pytest.mark.parametrize("name", ["", "person:eve", "service:deploy", "local:root"])
def test_people_who_begin_runs_do_not_become_agents(made: Made, name: str) -> None:
    made.registry.seen(name)
    assert made.registry.agents() == []


@pytest.mark.parametrize("name", ["", "person:eve", "service:deploy", "local:root"])
def test_no_agent_may_have_a_name_that_people_have_in_records(made: Made, name: str) -> None:
    with pytest.raises(RequestError):
        made.registry.register(agent(name), by="person:x")
    with pytest.raises(RequestError):
        made.registry.arrived(name, source=AgentSource.PROVIDER, by="https://idp.example")
    assert made.registry.agents() == [] and made.acts() == []


def test_an_agent_of_a_provider_arrives_once_and_is_never_changed_by_arriving_again(made: Made) -> None:
    first = made.registry.arrived("bot", source=AgentSource.PROVIDER, by="https://idp.example", roles=("r",))
    again = made.registry.arrived("bot", source=AgentSource.PROVIDER, by="https://idp.example", roles=("x",))
    assert first == again and again.roles == ("r",)
    assert made.acts() == [("agent.arrive", "https://idp.example", "bot")]


def test_two_processes_that_see_an_agent_first_both_go_on(made: Made) -> None:
    registry = Registry(_TakenMeanwhile(), Audit(made.journal, lambda: AT), clock=lambda: AT)
    assert registry.arrived("bot", source=AgentSource.DECLARED, by="bot").team == "other"


class _TakenMeanwhile(MemoryAgents):
    def add_agent(self, agent_: Agent) -> None:
        super().add_agent(agent("bot", team="other"))
        raise ConflictError("An agent of this name exists already.")


def test_every_change_leaves_one_record_that_names_who(made: Made) -> None:
    made.registry.register(agent("bot"), by="person:eve")
    made.registry.change("bot", by="person:zoe", team="payments", environment=Environment.SANDBOX)
    made.registry.change("bot", by="person:zoe", team="payments")  # nothing new
    made.registry.retire("bot", by="local:root")
    assert made.acts() == [
        ("agent.register", "person:eve", "bot"),
        ("agent.change", "person:zoe", "bot"),
        ("agent.retire", "local:root", "bot"),
    ]
    (changed,) = made.journal.search(RecordQuery(tool="agent.change"))
    assert changed.decoded()["details"] == {"team": "payments", "environment": "sandbox"}


def test_what_is_refused_is_not_recorded(made: Made) -> None:
    made.registry.register(agent("bot"), by="person:eve")
    with pytest.raises(ConflictError):
        made.registry.register(agent("bot"), by="person:eve")
    with pytest.raises(NotFoundError):
        made.registry.change("nobody", by="person:eve", team="x")
    with pytest.raises(RequestError):
        made.registry.change("bot", by="person:eve", status=AgentStatus.ACTIVE)
    with pytest.raises(NotFoundError):
        made.registry.retire("nobody", by="person:eve")
    assert len(made.acts()) == 1


def test_retiring_ends_the_agents_keys_and_is_for_good(made: Made) -> None:
    made.registry.register(agent("bot"), by="person:eve")
    assert made.registry.retire("bot", by="person:eve").status is AgentStatus.RETIRED
    assert made.keys.of == [("bot", "person:eve")]
    with pytest.raises(ConflictError):
        made.registry.change("bot", by="person:eve", team="x")
    with pytest.raises(ConflictError):
        made.registry.active("bot")
    made.registry.retire("bot", by="person:zoe")
    assert len(made.acts()) == 2
