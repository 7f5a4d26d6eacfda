"""Every kind of credential as one identity: keys, tokens and delegations together, over real stores."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clearance.adapters.identity import new_key, proofs
from clearance.adapters.store import MemoryJournal, MemoryState, SqliteState
from clearance.config import IdentitySettings, OidcProvider
from clearance.core.model import Actor, Agent, AgentStatus, Bounds, CredentialKind, Person, Principal, Role
from clearance.errors import AuthenticationError
from clearance.ports import Presented, State
from clearance.runtime.audit import Audit
from clearance.runtime.identities import Identities
from clearance.runtime.keys import Keys
from tests.servers.issuer import Issuer

READS = Bounds(operations=("read",))


def now() -> datetime:
    return datetime.now(UTC)


def identities(state: State, settings: IdentitySettings | None = None) -> Identities:
    def arrived(name: str, **_: object) -> None:
        state.agents.add_agent(Agent(name=name, created_at=now()))

    return Identities(proofs(settings or IdentitySettings(), state, arrived=arrived))


def keys_of(state: State) -> Keys:
    return Keys(state.credentials, Audit(MemoryJournal(), now), clock=now, new_credential=new_key)


def reason_of(identity: Identities, presented: Presented) -> str:
    with pytest.raises(AuthenticationError) as refused:
        identity.identify(presented, now())
    return refused.value.reason


def agent_of(identity: Identities, **presented: str) -> Principal:
    found = identity.identify(Presented(**presented), now())
    assert isinstance(found, Principal)
    assert identity.identify_known(Presented(**presented), now()) == found
    return found


def test_nothing_presented_proves_nothing() -> None:
    identity = identities(MemoryState())
    assert identity.identify(Presented(), now()) is None
    assert identity.identify_known(Presented(), now()) is None
    assert identity.identify(Presented(delegation="cld_x_y"), now()) is None


def test_a_credential_of_no_known_kind_is_refused() -> None:
    identity = identities(MemoryState())
    for text in ("garbage", "eyJhbGciOiJub25lIn0.e30.", "clx_a_b"):
        assert identity.identify_known(Presented(credential=text), now()) is None
        assert reason_of(identity, Presented(credential=text)) == "unauthenticated"


def test_an_agent_with_a_token_takes_up_a_delegation_and_the_chains_join() -> None:
    issuer, state = Issuer(), MemoryState()
    try:
        provider = OidcProvider(name="idp", issuer=issuer.url, audience=("clearance",))
        identity = identities(state, IdentitySettings(providers=(provider,)))
        claims = {
            "iss": issuer.url,
            "aud": "clearance",
            "exp": now().timestamp() + 60,
            "client_id": "b",
            "sub": "u",
        }
        token, keys = issuer.token(claims), keys_of(state)
        maker = Principal(agent="a", proof=agent_of_key(identity, keys, "a").proof, bounds=(READS,))
        given, _ = keys.delegate(maker, to="b", bounds=READS, seconds=60)
        identity.identify(Presented(credential=token), now())
        found = agent_of(identity, credential=token, delegation=given)
        assert [actor.name for actor in found.on_behalf_of] == ["a", "u"]
        assert found.bounds == (READS, READS)
    finally:
        issuer.close()


def agent_of_key(identity: Identities, keys: Keys, name: str) -> Principal:
    return agent_of(identity, credential=keys.issue(name, by="p")[0])


def test_a_person_takes_up_no_delegation() -> None:
    state = MemoryState()
    state.people.add_person(Person(name="ops", created_at=now(), roles=(Role.ADMIN,)))
    keys, identity = keys_of(state), identities(state)
    token, _ = keys.issue("ops", by="p", kind=CredentialKind.SERVICE_TOKEN)
    given, _ = keys.delegate(agent_of_key(identity, keys, "a"), to="ops", bounds=READS, seconds=60)
    assert reason_of(identity, Presented(credential=token, delegation=given)) == "delegation_invalid"


def test_nobody_acts_for_a_person_whose_account_is_closed() -> None:
    state = MemoryState()
    alice = Person(name="alice", created_at=now())
    state.people.add_person(alice)
    keys, identity = keys_of(state), identities(state)
    maker = Principal(agent="a", proof=agent_of_key(identity, keys, "a").proof)
    from clearance.core.model import ActorKind

    maker = Principal(
        agent="a", proof=maker.proof, on_behalf_of=(Actor(name="alice", kind=ActorKind.PERSON),)
    )
    given, _ = keys.delegate(maker, to="b", bounds=READS, seconds=60)
    key, _ = keys.issue("b", by="p")
    assert len(agent_of(identity, credential=key, delegation=given).on_behalf_of) == 2
    state.people.replace_person(Person(name="alice", created_at=alice.created_at, is_active=False))
    assert reason_of(identity, Presented(credential=key, delegation=given)) == "delegation_invalid"


def test_what_another_process_revokes_or_retires_is_refused_at_the_next_call(tmp_path: Path) -> None:
    here, there = SqliteState(tmp_path / "store"), SqliteState(tmp_path / "store")
    try:
        for name in ("a", "b", "c"):
            here.agents.add_agent(Agent(name=name, created_at=now()))
        ours, theirs, identity = keys_of(here), keys_of(there), identities(here)
        texts = {name: ours.issue(name, by="p") for name in ("a", "b", "c")}
        given, _ = ours.delegate(
            agent_of(identity, credential=texts["a"][0]), to="b", bounds=READS, seconds=60
        )
        for text, _ in texts.values():
            agent_of(identity, credential=text)
        agent_of(identity, credential=texts["b"][0], delegation=given)

        theirs.revoke(texts["a"][1].credential_id, by="p")
        assert reason_of(identity, Presented(credential=texts["a"][0])) == "unauthenticated"
        delegated = Presented(credential=texts["b"][0], delegation=given)
        assert reason_of(identity, delegated) == "delegation_invalid"

        there.agents.replace_agent(Agent(name="c", created_at=now(), status=AgentStatus.RETIRED))
        assert reason_of(identity, Presented(credential=texts["c"][0])) == "unauthenticated"
    finally:
        here.close()
        there.close()


def test_a_token_for_one_use_is_used_up_in_every_process(tmp_path: Path) -> None:
    issuer = Issuer()
    states = [SqliteState(tmp_path / "store"), SqliteState(tmp_path / "store")]
    try:
        provider = OidcProvider(name="idp", issuer=issuer.url, audience=("clearance",), single_use=True)
        settings = IdentitySettings(providers=(provider,))
        first, second = (identities(state, settings) for state in states)
        claims = {
            "iss": issuer.url,
            "aud": "clearance",
            "exp": now().timestamp() + 60,
            "sub": "a",
            "jti": "1",
        }
        token = Presented(credential=issuer.token(claims))
        assert first.identify(token, now()) is not None
        assert reason_of(second, token) == "token_replayed"
        assert reason_of(first, token) == "token_replayed"
    finally:
        issuer.close()
        for state in states:
            state.close()


async def test_no_event_loop_waits_for_an_issuer() -> None:
    issuer, state = Issuer(), MemoryState()
    try:
        issuer.gate.clear()
        provider = OidcProvider(name="idp", issuer=issuer.url, audience=("clearance",))
        identity = identities(state, IdentitySettings(providers=(provider,)))
        claims = {"iss": issuer.url, "aud": "clearance", "exp": now().timestamp() + 60, "sub": "a"}
        presented = Presented(credential=issuer.token(claims))
        asking = asyncio.create_task(asyncio.to_thread(identity.identify, presented, now()))
        await asyncio.sleep(0.05)
        begin = asyncio.get_running_loop().time()
        assert identity.identify_known(presented, now()) is None
        assert asyncio.get_running_loop().time() - begin < 0.5
        threading.Timer(0.05, issuer.gate.set).start()
        assert await asking is not None
    finally:
        issuer.close()


def test_an_expired_key_and_one_that_never_was_read_alike() -> None:
    state = MemoryState()
    identity, keys = identities(state), keys_of(state)
    text, _ = keys.issue("a", by="p", expires_at=now() + timedelta(seconds=30))
    with pytest.raises(AuthenticationError) as over:
        identity.identify(Presented(credential=text), now() + timedelta(seconds=31))
    with pytest.raises(AuthenticationError) as unknown:
        identity.identify(Presented(credential="clr_000000000000_x"), now())
    assert str(over.value) == str(unknown.value)
