"""What every store of people promises."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from clearance.core.model import Person, PersonSource, Role
from clearance.errors import ConflictError, NotFoundError
from clearance.ports import PeopleStore, State

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
ANN = Person(
    name="ann",
    created_at=NOON,
    roles=(Role.APPROVER, Role.AUDITOR),
    teams=("sales",),
    email="ann@example.org",
    source=PersonSource.PROVIDER,
    issuer="https://idp.example.org",
    subject="00u1",
)
BOB = Person(name="bob", created_at=NOON, roles=(Role.ADMIN,), password_hash="$argon2id$x")
OPS = Person(name="ops", created_at=NOON, source=PersonSource.SERVICE)


@pytest.fixture
def people(state: State) -> PeopleStore:
    return state.people


def test_people_are_listed_and_found_by_name(people: PeopleStore) -> None:
    for person in (OPS, ANN, BOB):
        people.add_person(person)
    assert people.people() == [ANN, BOB, OPS]
    assert people.person("bob") == BOB
    assert people.person("nobody") is None


def test_a_person_is_found_by_what_the_provider_says(people: PeopleStore) -> None:
    for person in (ANN, BOB, OPS):
        people.add_person(person)
    assert people.person_of(ANN.issuer, ANN.subject) == ANN
    assert people.person_of(ANN.issuer, "00u2") is None
    assert people.person_of("https://other.example.org", ANN.subject) is None
    assert people.person_of("", "") is None


def test_a_name_and_an_identity_are_each_taken_once(people: PeopleStore) -> None:
    people.add_person(ANN)
    before = people.revision()
    with pytest.raises(ConflictError):
        people.add_person(Person(name="ann", created_at=NOON))
    with pytest.raises(ConflictError):
        people.add_person(replace(ANN, name="anna"))
    assert (people.people(), people.revision()) == ([ANN], before)


def test_a_replaced_person_is_seen_at_once(people: PeopleStore) -> None:
    people.add_person(ANN)
    assert people.person("ann") == ANN
    before = people.revision()
    moved = replace(ANN, subject="00u9", is_active=False)
    people.replace_person(moved)
    assert people.person("ann") == moved
    assert people.person_of(ANN.issuer, "00u9") == moved
    assert people.person_of(ANN.issuer, ANN.subject) is None
    assert people.revision() > before


def test_nobody_is_given_the_identity_of_another(people: PeopleStore) -> None:
    people.add_person(ANN)
    people.add_person(BOB)
    with pytest.raises(ConflictError):
        people.replace_person(replace(BOB, issuer=ANN.issuer, subject=ANN.subject))
    assert people.person("bob") == BOB


def test_somebody_unknown_cannot_be_replaced(people: PeopleStore) -> None:
    with pytest.raises(NotFoundError):
        people.replace_person(ANN)
    assert people.people() == []
