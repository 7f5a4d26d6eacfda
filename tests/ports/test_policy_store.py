"""What every store of policies promises."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from clearance.errors import ConflictError
from clearance.ports import PolicyStore

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def test_a_fresh_store_has_no_version(state: PolicyStore) -> None:
    assert state.current() is None
    assert state.revision() == 0
    assert state.versions() == []


def test_versions_count_from_one_and_are_listed_newest_first(state: PolicyStore) -> None:
    first = state.replace({"policies": [{"name": "a", "rule": "block"}]}, expected=0, by="ann", at=NOON)
    second = state.replace({"policies": []}, expected=1, by="bob", at=NOON)
    assert (first.number, second.number, state.revision()) == (1, 2, 2)
    assert state.current() == second
    assert state.versions() == [second, first]
    assert state.versions(1) == [second]
    assert state.versions(0) == []
    assert first.document == {"policies": [{"name": "a", "rule": "block"}]}


def test_a_change_that_rests_on_an_old_version_is_refused(state: PolicyStore) -> None:
    state.replace({}, expected=0, by="ann", at=NOON)
    for expected in (0, 2):
        with pytest.raises(ConflictError, match="version 1"):
            state.replace({"policies": []}, expected=expected, by="bob", at=NOON)
    assert state.revision() == 1


def test_of_threads_that_change_the_same_version_one_wins(state: PolicyStore) -> None:
    refused: list[ConflictError] = []

    def change(number: int) -> None:
        try:
            state.replace({"by": number}, expected=0, by=str(number), at=NOON)
        except ConflictError as error:
            refused.append(error)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert state.revision() == 1


def test_a_stored_document_does_not_change_with_the_callers_copy(state: PolicyStore) -> None:
    document = {"policies": [{"name": "a"}]}
    state.replace(document, expected=0, by="ann", at=NOON)
    document["policies"].clear()
    current = state.current()
    assert current is not None
    current.document["policies"].clear()
    assert [version.document for version in state.versions()] == [{"policies": [{"name": "a"}]}]
