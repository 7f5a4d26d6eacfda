"""Tokens of a certified identity provider: discovery, keys that change in mid-flight, delegation chains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from clearance.adapters.identity import proofs
from clearance.config import Settings
from clearance.config.identity import read_identity
from clearance.core.model import ActionCall, ActorKind, Agent, AgentSource, Principal, Proof
from clearance.errors import AuthenticationError
from clearance.ports import Identity, Presented
from clearance.wiring import Assembly, assemble, utc_now
from tests.servers.oidc import Provider

pytestmark = pytest.mark.servers

_REFRESH, _COOLDOWN, _STALE = 300.0, 30.0, 3_600.0


@dataclass
class Seconds:
    """A clock of the key cache that the test turns."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Gate:
    """The token identity over a store in memory."""

    assembly: Assembly
    bearer: Identity
    seconds: Seconds

    def who(self, token: str, *, later: timedelta = timedelta()) -> Principal:
        """As a door asks: what is known first, the network where that is not enough."""
        presented, at = Presented(credential=token), utc_now() + later
        found = self.bearer.identify_known(presented, at) or self.bearer.identify(presented, at)
        assert isinstance(found, Principal)
        return found

    def refusal(self, token: str, *, later: timedelta = timedelta()) -> str:
        with pytest.raises(AuthenticationError) as caught:
            self.who(token, later=later)
        assert token not in str(caught.value)
        return caught.value.reason


def _gate(issuer: str, **options: Any) -> Gate:
    given = {
        "name": "company",
        "kind": "oidc",
        "issuer": issuer,
        "audience": "clearance",
        "roles_claim": "roles",
        "roles": {"planner": ["planner"], "billing-clerk": ["billing"]},
        **options,
    }
    settings, problems = read_identity({"providers": [given]}, file="clearance.yaml")
    assert problems == []
    assembly, seconds = assemble(Settings(store="memory")), Seconds()

    def arrived(name: str, *, source: AgentSource, by: str) -> None:
        assert by == "provider:company"
        assembly.state.agents.add_agent(Agent(name=name, created_at=utc_now(), source=source))

    made = proofs(settings, assembly.state, arrived=arrived, seconds=seconds)
    return Gate(assembly, made.bearers[-1], seconds)


@pytest.fixture
def gate(identity_provider: Provider) -> Iterator[Gate]:
    made = _gate(identity_provider.issuer)
    yield made
    made.assembly.close()


@pytest.fixture
def users_token(identity_provider: Provider) -> str:
    """An access token of alice, who logged in at the provider with PKCE."""
    return identity_provider.users_token("alice")


def test_a_client_credentials_token_is_an_agent_that_is_taken_in(
    identity_provider: Provider, gate: Gate
) -> None:
    who = gate.who(identity_provider.token("agent-a"))
    assert (who.agent, who.proof, who.roles, who.on_behalf_of) == ("agent-a", Proof.TOKEN, ("planner",), ())
    agent = gate.assembly.state.agents.agent("agent-a")
    assert agent is not None
    assert agent.source is AgentSource.PROVIDER


def test_where_only_registered_agents_count_a_newcomer_is_refused(identity_provider: Provider) -> None:
    gate = _gate(identity_provider.issuer, agents="registered")
    token = identity_provider.token("agent-a")
    assert gate.refusal(token) == "agent_unknown"
    gate.assembly.state.agents.add_agent(Agent(name="agent-a", created_at=utc_now()))
    assert gate.who(token).agent == "agent-a"
    gate.assembly.close()


def test_a_token_that_is_known_needs_no_network(identity_provider: Provider, gate: Gate) -> None:
    token = identity_provider.token("agent-a")
    presented = Presented(credential=token)
    assert gate.bearer.identify_known(presented, utc_now()) is None, "the keys have to be fetched first"
    gate.who(token)
    assert gate.bearer.identify_known(presented, utc_now()) is not None


def test_keys_rotate_in_mid_flight(identity_provider: Provider, gate: Gate) -> None:
    before = identity_provider.token("agent-a")
    assert gate.who(before).agent == "agent-a"
    identity_provider.rotate(keep=True)
    gate.seconds.now += _COOLDOWN + 1
    after = identity_provider.token("agent-a")
    assert gate.who(after).agent == "agent-a", "a new key is asked for when it is first seen"
    assert gate.who(before).agent == "agent-a", "the old key is published still"
    identity_provider.forget_old_keys()
    assert gate.who(before).agent == "agent-a", "the cache does not know yet"
    gate.seconds.now += _REFRESH + 1
    assert gate.who(after).agent == "agent-a"
    assert gate.refusal(before) == "token_key_unknown"


def test_a_flood_of_tokens_with_unknown_keys_asks_the_provider_once(
    identity_provider: Provider, gate: Gate
) -> None:
    gate.who(identity_provider.token("agent-a"))
    identity_provider.rotate(keep=True)
    after = identity_provider.token("agent-a")
    assert gate.refusal(after) == "token_key_unknown", "asked just now: it has to wait"
    gate.seconds.now += _COOLDOWN + 1
    assert gate.who(after).agent == "agent-a"


def test_a_chain_of_exchanges_is_on_the_recorded_action(
    identity_provider: Provider, gate: Gate, users_token: str
) -> None:
    """Agent B, called by agent A, on behalf of alice."""
    by_a = identity_provider.exchanged("agent-a", users_token)
    by_b = identity_provider.exchanged("agent-b", by_a)
    who = gate.who(by_b)
    assert who.agent == "agent-b"
    assert [(one.name, one.kind) for one in who.on_behalf_of] == [
        ("agent-a", ActorKind.AGENT),
        ("alice", ActorKind.PERSON),
    ]
    point = gate.assembly.control_point
    result = point.clear(ActionCall(action="read", resource="staging.notes"), who, door="test")
    [intent] = [one for one in point.journal.run(result.run_id) if one.kind.value == "intent"]
    assert intent.agent == "agent-b"
    told = intent.decoded()["principal"]["on_behalf_of"]
    assert [(one["name"], one.get("kind", "agent")) for one in told] == [
        ("agent-a", "agent"),
        ("alice", "person"),
    ]


def test_a_token_for_somebody_else_and_one_that_is_over_are_refused(
    identity_provider: Provider, gate: Gate
) -> None:
    assert gate.refusal(identity_provider.token("agent-a", resource="urn:other")) == "token_audience"
    token = identity_provider.token("agent-a")
    assert gate.refusal(token, later=timedelta(hours=2)) == "token_expired"
    assert gate.refusal(token, later=timedelta(hours=-1)) == "token_not_yet_valid"
    assert gate.who(token).agent == "agent-a"


def test_a_token_that_was_changed_proves_nothing(identity_provider: Provider, gate: Gate) -> None:
    head, body, signature = identity_provider.token("agent-a").split(".")
    _, other, _ = identity_provider.token("agent-b").split(".")
    assert gate.refusal(f"{head}.{other}.{signature}") == "token_signature"
    assert gate.refusal(f"{head}.{body}.{signature[:-8]}AAAAAAAA") == "token_signature"


def test_a_provider_that_cannot_be_asked_refuses(identity_provider: Provider) -> None:
    token = identity_provider.token("agent-a")
    gate = _gate("http://127.0.0.1:9")
    assert gate.refusal(token) == "token_issuer"
    gate.assembly.close()
