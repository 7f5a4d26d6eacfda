"""Group commit, with a commit that can be watched and held up."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from clearance.adapters.store.sqlite.group import GroupCommit
from clearance.errors import IntegrityError, StoreError


class Slow:
    """Doubles numbers; the first group waits until it is let go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def commit(self, jobs: Sequence[int]) -> list[int]:
        self.groups.append(list(jobs))
        self.begun.set()
        assert self.let_go.wait(5)
        return [2 * job for job in jobs]


def started(
    group: GroupCommit[int, int], jobs: Sequence[int], answers: dict[int, object]
) -> list[threading.Thread]:
    def submit(job: int) -> None:
        try:
            answers[job] = group.submit(job)
        except BaseException as error:
            answers[job] = error

    threads = [threading.Thread(target=submit, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def waiting(group: GroupCommit[int, int], count: int) -> None:
    for _ in range(5000):
        if len(group._pending) == count:
            return
        threading.Event().wait(0.001)
    pytest.fail("the callers did not queue up")


def test_a_lone_caller_commits_in_its_own_thread() -> None:
    threads: list[int] = []

    def commit(jobs: Sequence[int]) -> list[int]:
        threads.append(threading.get_ident())
        return list(jobs)

    assert GroupCommit(commit).submit(7) == 7
    assert threads == [threading.get_ident()]


def test_callers_that_come_during_a_commit_are_committed_together() -> None:
    slow = Slow()
    group = GroupCommit(slow.commit)
    answers: dict[int, object] = {}
    threads = started(group, [1], answers)
    assert slow.begun.wait(5)
    threads += started(group, [2, 3, 4, 5], answers)
    waiting(group, 4)
    slow.let_go.set()
    for thread in threads:
        thread.join(5)
    assert answers == {1: 2, 2: 4, 3: 6, 4: 8, 5: 10}
    assert slow.groups[0] == [1]
    assert sorted(slow.groups[1]) == [2, 3, 4, 5]


def test_a_failing_commit_fails_every_caller_of_its_group_with_an_error_of_its_own() -> None:
    slow = Slow()

    def commit(jobs: Sequence[int]) -> list[int]:
        answers = slow.commit(jobs)
        if len(jobs) > 1:
            raise IntegrityError("no")
        return answers

    group = GroupCommit(commit)
    answers: dict[int, object] = {}
    threads = started(group, [1], answers)
    assert slow.begun.wait(5)
    threads += started(group, [2, 3], answers)
    waiting(group, 2)
    slow.let_go.set()
    for thread in threads:
        thread.join(5)
    assert answers[1] == 2
    assert type(answers[2]) is type(answers[3]) is IntegrityError
    assert answers[2] is not answers[3]
    assert group.submit(4) == 8


def test_a_leader_that_is_interrupted_hands_over() -> None:
    slow = Slow()

    def commit(jobs: Sequence[int]) -> list[int]:
        answers = slow.commit(jobs)
        if 1 in jobs:
            raise KeyboardInterrupt
        return answers

    group = GroupCommit(commit)
    answers: dict[int, object] = {}
    threads = started(group, [1], answers)
    assert slow.begun.wait(5)
    threads += started(group, [2], answers)
    waiting(group, 1)
    slow.let_go.set()
    for thread in threads:
        thread.join(5)
    assert isinstance(answers[1], KeyboardInterrupt)
    assert answers[2] == 4


def test_a_commit_that_breaks_is_told_as_a_store_error() -> None:
    def commit(jobs: Sequence[int]) -> list[int]:
        raise ZeroDivisionError

    with pytest.raises(StoreError, match="may not be stored"):
        GroupCommit(commit).submit(1)
