"""Keys issued, rotated, revoked and delegated; the text is told once, every act is recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from clearance.adapters.identity import Delegations, KeyIdentity, Standing, new_key
from clearance.adapters.store import MemoryJournal, MemoryState
from clearance.core.model import (
    MOST_ACTORS,
    Actor,
    ActorKind,
    Agent,
    AgentStatus,
    Bounds,
    CredentialKind,
    Principal,
    Proof,
)
from clearance.errors import AuthenticationError, ConflictError, NotFoundError, RequestError
from clearance.ports import Presented, RecordQuery
from clearance.runtime.audit import Audit
from clearance.runtime.keys import MOST_DELEGATED_SECONDS, Keys

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
READS = Bounds(operations=("read",))


class House:
    """A store, its keys, and a clock that is told the time."""

    def __init__(self) -> None:
        self.now = NOON
        self.state = MemoryState()
        self.journal = MemoryJournal()
        for name in ("a", "b", "c"):
            self.state.agents.add_agent(Agent(name=name, created_at=NOON))
        audit = Audit(self.journal, lambda: self.now)
        self.keys = Keys(self.state.credentials, audit, clock=lambda: self.now, new_credential=new_key)
        standing = Standing(self.state.agents)
        self.identity = KeyIdentity(self.state.credentials, self.state.people, standing)
        self.delegations = Delegations(self.state.credentials, self.state.people, standing)

    def who(self, text: str, delegation: str = "") -> Principal:
        found = self.identity.identify(Presented(credential=text), self.now)
        assert isinstance(found, Principal)
        return self.delegations.extended(found, delegation, self.now) if delegation else found

    def retire(self, name: str) -> None:
        retired = Agent(name=name, created_at=NOON, status=AgentStatus.RETIRED)
        self.state.agents.replace_agent(retired)

    def acts(self) -> list[str]:
        return [one.tool for one in self.journal.search(RecordQuery(kind="administration", limit=100))]


@pytest.fixture
def house() -> House:
    return House()


def reason_of(house: House, text: str, delegation: str = "") -> str:
    with pytest.raises(AuthenticationError) as refused:
        house.who(text, delegation)
    return refused.value.reason


def test_a_key_proves_its_agent_within_its_bounds(house: House) -> None:
    text, stored = house.keys.issue("a", by="person:alice", bounds=[READS])
    assert house.who(text) == Principal(agent="a", proof=Proof.API_KEY, bounds=(READS,))
    assert text.startswith("clr_")
    assert text.rpartition("_")[2] not in str(stored)


def test_no_text_of_a_key_reaches_the_journal(house: House) -> None:
    text, stored = house.keys.issue("a", by="person:alice", label="nightly")
    rotated, _ = house.keys.rotate(stored.credential_id, by="person:alice")
    given, _ = house.keys.delegate(house.who(rotated), to="b", bounds=READS, seconds=60)
    house.keys.revoke_all("a", by="person:alice")
    kept = b"".join(bytes(one.body) for one in house.journal.search(RecordQuery(limit=100)))
    for one in (text, rotated, given):
        assert one.split("_", 2)[2].encode() not in kept
    assert sorted(set(house.acts())) == [
        "agent_key.issue",
        "agent_key.revoke",
        "agent_key.rotate",
        "delegation.issue",
        "delegation.revoke",
    ]


def test_an_act_that_cannot_be_recorded_is_not_done(house: House) -> None:
    def fail(*_: object) -> None:
        raise OSError

    house.journal.append = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(OSError):
        house.keys.issue("a", by="person:alice")
    assert house.keys.list() == []


def test_a_rotated_key_and_its_successor_overlap_and_then_only_the_successor_is_good(house: House) -> None:
    text, stored = house.keys.issue("a", by="p", bounds=[READS], expires_at=NOON + timedelta(days=30))
    house.now += timedelta(days=1)
    fresh, new = house.keys.rotate(stored.credential_id, by="p", overlap_seconds=60)
    assert (new.subject, new.kind, new.bounds) == ("a", stored.kind, stored.bounds)
    assert new.expires_at == house.now + timedelta(days=30)
    assert house.who(text) == house.who(fresh)
    house.now += timedelta(seconds=60)
    assert reason_of(house, text) == "unauthenticated"
    assert house.who(fresh).agent == "a"


def test_an_overlap_never_lengthens_the_life_of_the_old_key(house: House) -> None:
    text, stored = house.keys.issue("a", by="p", expires_at=NOON + timedelta(seconds=10))
    house.keys.rotate(stored.credential_id, by="p", overlap_seconds=3_600)
    house.now += timedelta(seconds=10)
    assert reason_of(house, text) == "unauthenticated"


def test_what_is_over_is_not_rotated(house: House) -> None:
    _, stored = house.keys.issue("a", by="p")
    house.keys.revoke(stored.credential_id, by="p")
    with pytest.raises(ConflictError):
        house.keys.rotate(stored.credential_id, by="p")
    with pytest.raises(NotFoundError):
        house.keys.rotate("nothing", by="p")


def test_a_revoked_key_is_refused_at_the_next_call(house: House) -> None:
    text, stored = house.keys.issue("a", by="p")
    house.who(text)
    assert house.keys.revoke(stored.credential_id, by="p").revoked_at == NOON
    assert reason_of(house, text) == "unauthenticated"


def test_every_credential_of_an_agent_is_revoked_together(house: House) -> None:
    texts = [house.keys.issue("a", by="p")[0] for _ in range(3)]
    other, _ = house.keys.issue("b", by="p")
    assert len(house.keys.revoke_all("a", by="p")) == 3
    assert [reason_of(house, text) for text in texts] == ["unauthenticated"] * 3
    assert house.who(other).agent == "b"


def test_what_a_person_or_a_service_of_the_same_name_has_stays_good(house: House) -> None:
    session, token = CredentialKind.SESSION, CredentialKind.SERVICE_TOKEN
    _, of_agent = house.keys.issue("a", by="p")
    for kind in (session, token):
        house.keys.issue("a", by="p", kind=kind)
    assert [one.credential_id for one in house.keys.revoke_all("a", by="p")] == [of_agent.credential_id]
    assert {one.kind for one in house.keys.list(subject="a") if one.is_valid(house.now)} == {session, token}
    assert len(house.keys.revoke_all("a", by="p", kinds=[session])) == 1


def test_the_end_of_a_namesakes_sessions_ends_no_delegation_of_the_agent(house: House) -> None:
    text, _ = house.keys.issue("a", by="p")
    house.keys.delegate(house.who(text), to="b", bounds=READS, seconds=60)
    house.keys.revoke_all("a", by="p", kinds=[CredentialKind.SESSION])
    assert all(one.is_valid(house.now) for one in house.keys.list())


def test_a_delegate_acts_for_its_maker_within_the_bounds_of_both(house: House) -> None:
    a, _ = house.keys.issue("a", by="p", bounds=[READS])
    b, _ = house.keys.issue("b", by="p", bounds=[Bounds(tools=("crm_*",))])
    narrow = Bounds(operations=("read",), resources=("crm/*",))
    given, stored = house.keys.delegate(house.who(a), to="b", bounds=narrow, seconds=60)
    assert given.startswith("cld_")
    assert stored.kind is CredentialKind.DELEGATION
    assert house.who(b, given) == Principal(
        agent="b",
        proof=Proof.API_KEY,
        on_behalf_of=(Actor(name="a"),),
        bounds=(Bounds(tools=("crm_*",)), narrow, READS),
    )


def test_a_delegation_may_not_be_wider_than_any_bound_of_its_maker(house: House) -> None:
    a, _ = house.keys.issue("a", by="p", bounds=[READS, Bounds(resources=("crm/*",))])
    for wide in (
        Bounds(),
        READS,
        Bounds(operations=("read",), resources=("*",)),
        Bounds(resources=("crm/*",)),
    ):
        with pytest.raises(AuthenticationError) as refused:
            house.keys.delegate(house.who(a), to="b", bounds=wide, seconds=60)
        assert refused.value.reason == "delegation_too_wide"
    assert house.keys.list(kind=CredentialKind.DELEGATION) == []


def test_a_delegate_cannot_widen_what_it_passes_on(house: House) -> None:
    a, _ = house.keys.issue("a", by="p")
    b, _ = house.keys.issue("b", by="p")
    c, _ = house.keys.issue("c", by="p")
    given, _ = house.keys.delegate(house.who(a), to="b", bounds=READS, seconds=60)
    with pytest.raises(AuthenticationError) as refused:
        house.keys.delegate(house.who(b, given), to="c", bounds=Bounds(), seconds=60)
    assert refused.value.reason == "delegation_too_wide"
    further, stored = house.keys.delegate(house.who(b, given), to="c", bounds=READS, seconds=3_600)
    assert [actor.name for actor in house.who(c, further).on_behalf_of] == ["b", "a"]
    assert stored.expires_at == NOON + timedelta(seconds=60)  # no longer than what it rests on


def test_a_delegation_does_not_outlive_its_makers_key(house: House) -> None:
    a, _ = house.keys.issue("a", by="p", expires_at=NOON + timedelta(seconds=10))
    _, stored = house.keys.delegate(house.who(a), to="b", bounds=READS, seconds=3_600)
    assert stored.expires_at == NOON + timedelta(seconds=10)


def test_a_chain_has_an_end(house: House) -> None:
    chain = tuple(Actor(name=f"x{index}") for index in range(MOST_ACTORS))
    long = Principal(agent="a", proof=Proof.TOKEN, on_behalf_of=chain)
    with pytest.raises(AuthenticationError) as refused:
        house.keys.delegate(long, to="b", bounds=READS, seconds=60)
    assert refused.value.reason == "delegation_too_wide"


def test_a_delegation_is_good_only_beside_the_credential_of_the_agent_it_names(house: House) -> None:
    a, _ = house.keys.issue("a", by="p")
    b, _ = house.keys.issue("b", by="p")
    c, _ = house.keys.issue("c", by="p")
    given, _ = house.keys.delegate(house.who(a), to="b", bounds=READS, seconds=60)
    assert reason_of(house, given) == "delegation_invalid"  # as the bearer itself
    assert reason_of(house, c, given) == "delegation_invalid"  # by another agent
    assert reason_of(house, a, given) == "delegation_invalid"  # by its maker
    assert reason_of(house, b, a) == "delegation_invalid"  # a key is no delegation
    assert reason_of(house, b, given[:-1]) == "delegation_invalid"
    assert reason_of(house, b, "cld_nothing") == "delegation_invalid"
    assert reason_of(house, b, "x" * 100_000) == "delegation_invalid"
    house.now += timedelta(seconds=60)
    assert reason_of(house, b, given) == "delegation_invalid"


def test_a_delegation_falls_with_itself_with_any_key_of_its_maker_and_with_its_maker(house: House) -> None:
    b, _ = house.keys.issue("b", by="p")
    a, key = house.keys.issue("a", by="p")
    given, delegation = house.keys.delegate(house.who(a), to="b", bounds=READS, seconds=60)
    house.keys.revoke(delegation.credential_id, by="p")
    assert reason_of(house, b, given) == "delegation_invalid"

    given, _ = house.keys.delegate(house.who(a), to="b", bounds=READS, seconds=60)
    house.keys.revoke(key.credential_id, by="p")
    assert reason_of(house, b, given) == "delegation_invalid"

    a, _ = house.keys.issue("a", by="p")
    given, _ = house.keys.delegate(house.who(a), to="b", bounds=READS, seconds=60)
    house.retire("a")
    assert reason_of(house, b, given) == "delegation_invalid"


def test_a_link_in_the_middle_of_a_chain_takes_what_rests_on_it_along(house: House) -> None:
    a, b, c = (house.keys.issue(name, by="p")[0] for name in "abc")
    first, delegation = house.keys.delegate(house.who(a), to="b", bounds=READS, seconds=60)
    second, _ = house.keys.delegate(house.who(b, first), to="c", bounds=READS, seconds=60)
    house.who(c, second)
    house.keys.revoke(delegation.credential_id, by="p")
    assert reason_of(house, c, second) == "delegation_invalid"


def test_a_name_that_was_only_declared_delegates_nothing(house: House) -> None:
    with pytest.raises(AuthenticationError):
        house.keys.delegate(Principal(agent="a"), to="b", bounds=READS, seconds=60)


@pytest.mark.parametrize(
    ("to", "bounds", "seconds"),
    [
        ("", READS, 60.0),
        ("a", READS, 60.0),
        ("b", READS, 0.0),
        ("b", READS, float("nan")),
        ("b", READS, MOST_DELEGATED_SECONDS + 1),
        ("b", Bounds(tools=("t",) * 1_000), 60.0),
        ("b", Bounds(any_of=(Bounds(any_of=(READS,)),)), 60.0),
    ],
)
def test_a_delegation_that_makes_no_sense_is_refused(
    house: House, to: str, bounds: Bounds, seconds: float
) -> None:
    a, _ = house.keys.issue("a", by="p")
    with pytest.raises(RequestError):
        house.keys.delegate(house.who(a), to=to, bounds=bounds, seconds=seconds)


def test_a_person_in_the_chain_is_named_as_one(house: House) -> None:
    user = Actor(name="u", kind=ActorKind.PERSON)
    proven = Principal(agent="a", proof=Proof.TOKEN, on_behalf_of=(user,))
    b, _ = house.keys.issue("b", by="p")
    given, _ = house.keys.delegate(proven, to="b", bounds=READS, seconds=60)
    assert house.who(b, given).on_behalf_of == (Actor(name="a"), user)


def test_a_credential_is_told_without_its_secret_in_json(house: House) -> None:
    text, stored = house.keys.issue("a", by="p")
    import msgspec

    assert text.split("_", 2)[2] not in json.dumps(msgspec.to_builtins(stored))
