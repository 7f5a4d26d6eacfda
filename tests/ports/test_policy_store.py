"""What every store of policies promises."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from clearance.errors import ConflictError
from clearance.ports import PolicyStore, State

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def policies(state: State) -> PolicyStore:
    return state.policies


def test_a_fresh_store_has_no_version(policies: PolicyStore) -> None:
    assert policies.current() is None
    assert policies.revision() == 0
    assert policies.versions() == []


def test_versions_count_from_one_and_are_listed_newest_first(policies: PolicyStore) -> None:
    first = policies.replace({"policies": [{"name": "a", "rule": "block"}]}, expected=0, by="ann", at=NOON)
    second = policies.replace({"policies": []}, expected=1, by="bob", at=NOON)
    assert (first.number, second.number, policies.revision()) == (1, 2, 2)
    assert policies.current() == second
    assert policies.versions() == [second, first]
    assert policies.versions(1) == [second]
    assert policies.versions(0) == []
    assert first.document == {"policies": [{"name": "a", "rule": "block"}]}


def test_a_change_that_rests_on_an_old_version_is_refused(policies: PolicyStore) -> None:
    policies.replace({}, expected=0, by="ann", at=NOON)
    for expected in (0, 2):
        with pytest.raises(ConflictError, match="version 1"):
            policies.replace({"policies": []}, expected=expected, by="bob", at=NOON)
    assert policies.revision() == 1


def test_of_threads_that_change_the_same_version_one_wins(policies: PolicyStore) -> None:
    refused: list[ConflictError] = []

    def change(number: int) -> None:
        try:
            policies.replace({"by": number}, expected=0, by=str(number), at=NOON)
        except ConflictError as error:
            refused.append(error)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert policies.revision() == 1


def test_a_stored_document_does_not_change_with_the_callers_copy(policies: PolicyStore) -> None:
    document = {"policies": [{"name": "a"}]}
    policies.replace(document, expected=0, by="ann", at=NOON)
    document["policies"].clear()
    current = policies.current()
    assert current is not None
    current.document["policies"].clear()
    assert [version.document for version in policies.versions()] == [{"policies": [{"name": "a"}]}]
