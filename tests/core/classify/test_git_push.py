"""Pushes: what is forced or deleted loses commits, and how many is not guessed."""

from __future__ import annotations

from clearance.core.classify.git_push import push_changes, push_touches
from clearance.core.model import Operation

LINES = (
    "To git@a.example:x.git\n"
    " \trefs/heads/main:refs/heads/main\t1111111..2222222\n"
    "+\trefs/heads/dev:refs/heads/dev\t3333333...4444444 (forced update)\n"
    "-\t:refs/heads/old\t[deleted]\n"
    "*\trefs/heads/new:refs/heads/new\t[new branch]\n"
    "=\trefs/heads/same:refs/heads/same\t[up to date]\n"
    "Done\n"
)


def test_each_ref_has_its_own_operation() -> None:
    changes = push_changes(LINES)
    assert changes is not None
    assert [(change.ref.rsplit("/", 1)[-1], change.operation, change.forced) for change in changes] == [
        ("main", Operation.UPDATE, False),
        ("dev", Operation.DELETE, True),
        ("old", Operation.DELETE, False),
        ("new", Operation.CREATE, False),
    ]
    assert (changes[1].old, changes[1].new) == ("3333333", "4444444")


def test_a_lost_number_of_commits_is_unknown() -> None:
    counts = {touch.resource.rsplit("/", 1)[-1]: touch.count for touch in push_touches(LINES)}
    assert counts == {"main": 1, "dev": None, "old": None, "new": 1}


def test_a_refused_or_unreadable_line_leaves_the_push_unknown() -> None:
    for line in ("!\ta:b\t[rejected] (stale info)", "fatal: no such remote", "?\ta:b\tx"):
        assert push_changes(line) is None
        assert push_touches(line)[0].count is None
