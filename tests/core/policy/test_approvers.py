"""Whose yes a policy asks for: strictly read, and in the obligation as written."""

from __future__ import annotations

import pytest

from clearance.core.model import Approval, Role
from clearance.core.policy import History
from tests.core.policy.conftest import VALIDATOR


def asking(approval, rule="require_approval"):
    return {"name": "ask", "rule": rule, "approval": approval}


def test_what_is_written_is_what_is_owed(compiled, make):
    written = {"role": "admin", "team": "legal", "count": 3, "four_eyes": False, "expires_seconds": 2_592_000}
    policies = compiled(asking(written))
    (verdict,) = policies.evaluate(make(), History(policies))
    assert verdict.obligation == Approval(
        policy="ask",
        message=verdict.message,
        role=Role.ADMIN,
        team="legal",
        count=3,
        four_eyes=False,
        expires_seconds=2_592_000,
    )
    VALIDATOR.validate(asking(written))


def test_what_is_left_out_stands_at_its_default(compiled, make):
    policies = compiled(asking({"count": 2}))
    (verdict,) = policies.evaluate(make(), History(policies))
    assert verdict.obligation == Approval(policy="ask", message=verdict.message, count=2)


def test_an_uncertain_verdict_asks_the_same_people(compiled, make):
    asked = {**asking({"team": "legal"}), "condition": {"record_count_exceeds": 5}}
    policies = compiled(asked)
    (verdict,) = policies.evaluate(make(), History(policies))
    assert not verdict.certain and verdict.obligation.team == "legal"


@pytest.mark.parametrize(
    ("approval", "code"),
    [
        ({}, "missing_key"),
        ("approver", "bad_type"),
        ({"rol": "approver"}, "unknown_key"),
        ({"role": "aprover"}, "unknown_role"),
        ({"role": "viewer"}, "unknown_role"),
        ({"role": "auditor"}, "unknown_role"),
        ({"role": ["approver"]}, "bad_type"),
        ({"team": ""}, "bad_value"),
        ({"team": 7}, "bad_type"),
        ({"count": 0}, "bad_value"),
        ({"count": 11}, "number_out_of_range"),
        ({"count": 1.5}, "bad_type"),
        ({"count": True}, "bad_type"),
        ({"four_eyes": "no"}, "bad_type"),
        ({"four_eyes": 0}, "bad_type"),
        ({"expires_seconds": 0}, "number_out_of_range"),
        ({"expires_seconds": -1}, "bad_value"),
        ({"expires_seconds": 2_592_001}, "number_out_of_range"),
        ({"expires_seconds": "1h"}, "bad_type"),
    ],
    ids=str,
)
def test_what_cannot_stand_is_refused_where_it_stands(problems, approval, code):
    assert [problem.code for problem in problems(asking(approval))] == [code]
    assert not VALIDATOR.is_valid(asking(approval))


def test_a_misspelt_role_is_named_with_its_line_and_what_was_meant(problems):
    text = "name: ask\nrule: require_approval\napproval:\n  role: aprover\n  count: 2\n"
    (problem,) = problems(text)
    assert (problem.line, problem.suggestion) == (4, 'did you mean "approver"?')


@pytest.mark.parametrize("rule", ["block", "alert", "allow", "snapshot"])
def test_approval_has_no_place_in_another_rule(problems, rule):
    document = asking({"count": 2}, rule=rule)
    assert [problem.code for problem in problems(document)] == ["misplaced_key"]
    assert not VALIDATOR.is_valid(document)
