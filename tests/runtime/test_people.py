"""People: who they are, how they log in, and that all of it is recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from clearance.adapters.identity import KeyIdentity, Standing, new_key
from clearance.adapters.store import MemoryJournal, MemoryState
from clearance.core.drafts import ADMINISTRATION_RUN
from clearance.core.model import CredentialKind, Person, PersonSource, Role
from clearance.errors import AuthenticationError, ConflictError, NotFoundError, RequestError
from clearance.ports import Presented, Vouched
from clearance.runtime.audit import Audit
from clearance.runtime.people import People
from clearance.runtime.tokens import Tokens

PASSWORD = "correct horse battery"


class FastHashing:
    """Stands in for argon2, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def hash(self, password: str) -> str:
        return "2:" + hashlib.sha256(password.encode()).hexdigest()

    def fits(self, password: str, hashed: str) -> bool:
        self.asked += 1
        return bool(hashed) and hashed.split(":")[1] == self.hash(password).split(":")[1]

    def is_outdated(self, hashed: str) -> bool:
        return hashed.startswith("1:")


@dataclass
class House:
    """A store in memory, and people over it."""

    now: datetime = datetime(2026, 7, 14, 12, tzinfo=UTC)
    state: MemoryState = field(default_factory=MemoryState)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    hashing: FastHashing = field(default_factory=FastHashing)

    def __post_init__(self) -> None:
        tokens = Tokens(self.state.credentials, clock=self.clock, make=new_key)
        audit = Audit(self.journal, self.clock)
        self.people = People(self.state.people, tokens, audit, clock=self.clock, passwords=self.hashing)

    def clock(self) -> datetime:
        return self.now

    def acts(self) -> list[dict[str, Any]]:
        records = self.journal.run(ADMINISTRATION_RUN)[1:]
        return [record.decoded() for record in records]

    def is_good(self, text: str) -> bool:
        identity = KeyIdentity(self.state.credentials, self.state.people, Standing(self.state.agents))
        try:
            return isinstance(identity.identify(Presented(credential=text), self.now), Person)
        except AuthenticationError:
            return False


@pytest.fixture
def house() -> House:
    made = House()
    made.people.add("alice", by="local:root", roles=[Role.ADMIN], password=PASSWORD)
    made.people.add("deploy", by="local:root", roles=[Role.OPERATOR], source=PersonSource.SERVICE)
    return made


def vouched(**told: Any) -> Vouched:
    return Vouched(**{"provider": "company", "issuer": "https://id", "subject": "u1", "name": "bob", **told})


def _failure(house: House, name: str, password: str, *, peer: str = "") -> tuple[str, str]:
    with pytest.raises(AuthenticationError) as caught:
        house.people.log_in(name, password, peer=peer)
    return caught.value.reason, str(caught.value)


def test_a_password_gives_a_session_of_twelve_hours(house: House) -> None:
    text, person = house.people.log_in("alice", PASSWORD, peer="10.0.0.1")
    assert text.startswith("cls_")
    assert (person.name, person.roles, person.password_hash) == ("alice", (Role.ADMIN,), "")
    assert house.is_good(text)
    house.now += timedelta(hours=11, minutes=59)
    assert house.is_good(text)
    house.now += timedelta(minutes=2)
    assert not house.is_good(text)
    assert house.people.sessions() == []


def test_every_failure_is_told_in_the_same_words_and_costs_the_same(house: House) -> None:
    house.people.add("bob", by="x", source=PersonSource.PROVIDER, email="bob@example.test")
    house.people.add("gone", by="x", password=PASSWORD)
    house.people.deactivate("gone", by="x")
    house.people.add("hollow", by="x")
    house.hashing.asked = 0
    names = ("alice", "nobody", "bob", "deploy", "gone", "hollow", "", "a" * 5_000)
    told = {_failure(house, name, "wrong password x") for name in names}
    assert [reason for reason, _ in told] == ["login_failed"]
    assert house.hashing.asked == len(names)
    assert _failure(house, "gone", PASSWORD) in told


def test_logins_and_failures_are_recorded_without_a_name_that_nobody_has(house: House) -> None:
    house.people.log_in("alice", PASSWORD, peer="10.0.0.1")
    _failure(house, "alice", "wrong password x", peer="10.0.0.2")
    _failure(house, "hunter2 is my password", "alice", peer="10.0.0.3")
    told = [(act["act"], act["by"], act["target"], act["details"]["peer"]) for act in house.acts()[2:]]
    assert told == [
        ("person.login", "person:alice", "alice", "10.0.0.1"),
        ("person.login_failed", "nobody", "alice", "10.0.0.2"),
        ("person.login_failed", "nobody", "", "10.0.0.3"),
    ]
    assert "hunter2" not in str(house.acts())
    assert PASSWORD not in str(house.acts())


def test_guessing_a_name_is_slowed_down_and_time_lets_the_right_password_in(house: House) -> None:
    for number in range(6):
        _failure(house, "alice", f"guess number {number}", peer=f"10.0.0.{number}")
    asked = house.hashing.asked
    _failure(house, "alice", PASSWORD, peer="10.0.1.1")
    assert house.hashing.asked == asked, "a try that has to wait is not even compared"
    house.now += timedelta(seconds=61)
    assert house.people.log_in("alice", PASSWORD, peer="10.0.1.1")


def test_guessing_from_one_address_is_slowed_down_whatever_the_names(house: House) -> None:
    for number in range(21):
        _failure(house, f"name-{number}", "a guess of mine", peer="10.0.0.9")
    _failure(house, "alice", PASSWORD, peer="10.0.0.9")
    assert house.people.log_in("alice", PASSWORD, peer="10.0.0.10")


def test_a_flood_of_tries_is_not_a_flood_of_records(house: House) -> None:
    for _ in range(500):
        _failure(house, "alice", "a guess of mine", peer="10.0.0.9")
    slowed = [act for act in house.acts() if act["act"] == "person.login_slowed"]
    assert len(slowed) == 2  # once for the name, once for the address
    assert len(house.acts()) < 20


def test_whoever_is_activated_again_gets_nothing_back_that_ended(house: House) -> None:
    session, _ = house.people.log_in("alice", PASSWORD)
    token, _ = house.people.issue_token("deploy", by="x")
    for name in ("alice", "deploy"):
        house.people.deactivate(name, by="x")
        assert house.people.activate(name, by="x").is_active
    assert not house.is_good(session)
    assert not house.is_good(token)
    with pytest.raises(AuthenticationError):
        house.people.log_in("alice", PASSWORD)
    house.people.set_password("alice", PASSWORD, by="x")
    again, person = house.people.log_in("alice", PASSWORD)
    assert person.roles == (Role.ADMIN,)
    assert house.is_good(again)
    assert house.people.issue_token("deploy", by="x")


def test_whoever_is_deactivated_during_a_change_stays_so(house: House) -> None:
    state, change = house.state.people, house.state.people.change_person

    def first_gone(name: str, making: Callable[[Person], Person]) -> Person:
        change(name, lambda now: replace(now, is_active=False, password_hash=""))
        return change(name, making)

    state.change_person = first_gone  # type: ignore[method-assign]
    house.people.change("alice", by="x", roles=[Role.VIEWER])
    assert not house.people.person("alice").is_active
    with pytest.raises(RequestError):
        house.people.set_password("alice", PASSWORD, by="x")
    assert state.people()[0].password_hash == ""


def test_whoever_is_deactivated_takes_no_key_of_an_agent_of_that_name_along(house: House) -> None:
    _, key = new_key("alice", at=house.now, kind=CredentialKind.AGENT_KEY)
    house.state.credentials.add_credential(key)
    house.people.deactivate("alice", by="x")
    assert house.state.credentials.credentials(CredentialKind.AGENT_KEY) == [key]


def test_whoever_is_deactivated_is_out_at_once(house: House) -> None:
    session, _ = house.people.log_in("alice", PASSWORD)
    token, _ = house.people.issue_token("deploy", by="person:alice")
    assert house.is_good(session)
    assert house.is_good(token)
    house.people.deactivate("alice", by="x")
    house.people.deactivate("deploy", by="x")
    assert not house.is_good(session)
    assert not house.is_good(token)
    assert not house.people.person("alice").is_active
    assert house.people.sessions() == []
    with pytest.raises(RequestError):
        house.people.issue_token("deploy", by="x")
    with pytest.raises(RequestError):
        house.people.set_password("alice", PASSWORD, by="x")


def test_a_new_password_ends_sessions_and_the_old_one(house: House) -> None:
    session, _ = house.people.log_in("alice", PASSWORD)
    house.people.set_password("alice", "another long password", by="x")
    assert not house.is_good(session)
    _failure(house, "alice", PASSWORD)
    assert house.people.log_in("alice", "another long password")


def test_a_password_hashed_with_weaker_parameters_is_hashed_anew(house: House) -> None:
    stored = house.state.people.person("alice")
    assert stored is not None
    house.state.people.replace_person(
        Person(
            name="alice",
            created_at=stored.created_at,
            roles=stored.roles,
            password_hash=stored.password_hash.replace("2:", "1:"),
        )
    )
    house.people.log_in("alice", PASSWORD)
    again = house.state.people.person("alice")
    assert again is not None
    assert again.password_hash == stored.password_hash


@pytest.mark.parametrize("password", ["short", "x" * 1_025, "eleven char"])
def test_a_password_too_short_or_too_long_is_refused(password: str, house: House) -> None:
    with pytest.raises(RequestError):
        house.people.add("bob", by="x", password=password)
    with pytest.raises(NotFoundError):
        house.people.person("bob")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129, "a\x00", "person:alice"])
def test_a_name_that_no_record_could_hold_is_refused(name: str, house: House) -> None:
    with pytest.raises(RequestError):
        house.people.add(name, by="x")


def test_a_name_is_taken_once(house: House) -> None:
    with pytest.raises(ConflictError):
        house.people.add("alice", by="x")


def test_changes_are_recorded_and_keep_what_is_left_out(house: House) -> None:
    house.people.change("alice", by="person:root", teams=["payments"])
    changed = house.people.change("alice", by="person:root", roles=[Role.AUDITOR, Role.VIEWER])
    assert (changed.roles, changed.teams) == ((Role.VIEWER, Role.AUDITOR), ("payments",))
    last = house.acts()[-1]
    assert (last["act"], last["by"], last["target"]) == ("person.change", "person:root", "alice")
    assert last["details"]["roles"] == ["viewer", "auditor"]


def test_log_out_ends_one_session_and_no_other(house: House) -> None:
    (first, _), (second, _) = house.people.log_in("alice", PASSWORD), house.people.log_in("alice", PASSWORD)
    house.people.log_out(first.split("_")[1], by="person:alice")
    assert (house.is_good(first), house.is_good(second)) == (False, True)
    token, _ = house.people.issue_token("deploy", by="x")
    with pytest.raises(NotFoundError):
        house.people.log_out(token.split("_")[1], by="x")


def test_a_service_token_ends_is_rotated_with_overlap_and_revoked(house: House) -> None:
    text, made = house.people.issue_token("deploy", by="person:alice", label="ci")
    assert made.expires_at == house.now + timedelta(days=90)
    successor, new = house.people.rotate_token(made.credential_id, by="person:alice", overlap_seconds=60)
    assert (new.subject, new.label, new.expires_at) == ("deploy", "ci", made.expires_at)
    assert house.is_good(text)
    assert house.is_good(successor)
    house.now += timedelta(seconds=61)
    assert (house.is_good(text), house.is_good(successor)) == (False, True)
    with pytest.raises(NotFoundError):
        house.people.rotate_token(made.credential_id, by="x")
    house.people.revoke_token(new.credential_id, by="person:alice")
    assert not house.is_good(successor)
    acts = [act["act"] for act in house.acts()[2:]]
    assert acts == ["token.create", "token.rotate", "token.revoke"]
    assert text not in str(house.acts())


def test_only_a_service_has_tokens_and_only_a_local_account_a_password(house: House) -> None:
    with pytest.raises(RequestError):
        house.people.issue_token("alice", by="x")
    with pytest.raises(RequestError):
        house.people.set_password("deploy", PASSWORD, by="x")
    with pytest.raises(RequestError):
        house.people.add("robot", by="x", source=PersonSource.SERVICE, password=PASSWORD)


def test_whoever_the_provider_vouches_for_is_known_by_issuer_and_subject(house: House) -> None:
    _, first = house.people.log_in_vouched(vouched(roles=(Role.VIEWER,), teams=("a",)))
    _, again = house.people.log_in_vouched(vouched(name="robert", roles=(Role.OPERATOR,), teams=("b",)))
    assert first.name == again.name == "bob"
    assert (again.roles, again.teams, again.source) == ((Role.OPERATOR,), ("b",), PersonSource.PROVIDER)
    _, other = house.people.log_in_vouched(vouched(subject="u2", roles=(Role.VIEWER,)))
    assert other.name == "bob@company"


def test_a_provider_cannot_make_somebody_into_a_local_account(house: House) -> None:
    _, person = house.people.log_in_vouched(vouched(name="alice", roles=(Role.VIEWER,)))
    assert person.name == "alice@company"
    assert house.people.person("alice").source is PersonSource.LOCAL


def test_whoever_loses_their_groups_loses_their_sessions_too(house: House) -> None:
    session, _ = house.people.log_in_vouched(vouched(roles=(Role.ADMIN,)))
    assert house.is_good(session)
    with pytest.raises(AuthenticationError) as caught:
        house.people.log_in_vouched(vouched(roles=()))
    assert caught.value.reason == "login_failed"
    assert not house.is_good(session)


def test_whoever_was_turned_off_cannot_come_back_by_the_provider(house: House) -> None:
    house.people.log_in_vouched(vouched(roles=(Role.ADMIN,)))
    house.people.deactivate("bob", by="x")
    with pytest.raises(AuthenticationError):
        house.people.log_in_vouched(vouched(roles=(Role.ADMIN,)))
    assert not house.people.person("bob").is_active


def test_an_invitation_is_taken_by_the_verified_address_and_once(house: House) -> None:
    house.people.add("bobby", by="x", roles=[Role.APPROVER], source=PersonSource.PROVIDER, email="b@x.test")
    with pytest.raises(AuthenticationError):
        house.people.log_in_vouched(vouched(subject="u9"))
    _, person = house.people.log_in_vouched(vouched(email="B@x.test"))
    assert (person.name, person.roles, person.subject) == ("bobby", (Role.APPROVER,), "u1")
    with pytest.raises(AuthenticationError):
        house.people.log_in_vouched(vouched(subject="u2", email="b@x.test"))


def test_a_newcomer_gets_the_default_role_and_keeps_what_is_given_later(house: House) -> None:
    _, person = house.people.log_in_vouched(vouched(newcomers=(Role.VIEWER,)))
    assert person.roles == (Role.VIEWER,)
    house.people.change("bob", by="x", roles=[Role.ADMIN])
    _, person = house.people.log_in_vouched(vouched(newcomers=(Role.VIEWER,)))
    assert person.roles == (Role.ADMIN,)
