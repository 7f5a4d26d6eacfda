"""Plans: a replacement is two things, a no-op none, and what is not known is not counted."""

from __future__ import annotations

import json

import pytest

from clearance.core.classify.terraform import plan_counts, plan_touches
from clearance.core.model import Operation


def _plan(*actions: list[str], **fields: object) -> str:
    changes = [
        {"address": f"aws_x.n{index}", "change": {"actions": each}, "action_reason": "replace_by_request"}
        for index, each in enumerate(actions)
    ]
    return json.dumps({"format_version": "1.2", "resource_changes": changes, **fields})


def test_a_replacement_is_a_deletion_and_a_creation() -> None:
    for order in (["delete", "create"], ["create", "delete"]):
        touches = plan_touches(_plan(order))
        assert plan_counts(touches) == {Operation.DELETE: 1, Operation.CREATE: 1}
        assert touches[0].sample == ("replace_by_request",)


def test_what_stays_as_it_is_counts_nothing() -> None:
    touches = plan_touches(_plan(*[["no-op"]] * 240, ["update"], ["delete"]))
    assert plan_counts(touches) == {Operation.UPDATE: 1, Operation.DELETE: 1}
    assert plan_touches(_plan(["no-op"])) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "not json",
        _plan(["delete", "delete"]),
        _plan(["explode"]),
        _plan(["delete"], errored=True),
        _plan(["delete"], complete=False),
        '{"format_version":"1","resource_changes":{}}',
        '{"format_version":"1","resource_changes":[{"change":{}}]}',
    ],
)
def test_a_plan_that_cannot_be_read_is_not_counted(text: str) -> None:
    assert any(touch.count is None for touch in plan_touches(text))


def test_one_unread_part_leaves_no_number() -> None:
    assert set(plan_counts(plan_touches(_plan(["delete"], ["explode"]))).values()) == {None}
