"""Unit tests of policies: how a test file is read, what passes, and what a bad file is told."""

import pytest

from clearance.core.policy import CaseEffect, CaseOutcome, run_cases
from clearance.errors import PolicyError, RequestError

FILE = """\
tests:
  - name: many records are blocked
    request: {action: update, resource: users.accounts, payload: {record_count: 40}}
    expect: {effect: deny, policies: [blast_radius_limit]}
  - name: after the inbox was read
    request: {action: send_money, agent: a, run_id: r, arguments: {to: [x]}, environment: production}
    history:
      - {action: read_inbox, operation: read, seconds_ago: 30, facts: {n: 1}}
    expect: {effect: hold}
"""


def deciding(effect, *policies):
    return lambda history, request: CaseOutcome(effect=CaseEffect(effect), policies=policies)


def test_a_test_passes_when_effect_and_policies_are_as_expected():
    results = run_cases(FILE, "p.test.yaml", decide=deciding("deny", "blast_radius_limit"))
    assert [(one.name, one.passed, one.line) for one in results] == [
        ("many records are blocked", True, 2),
        ("after the inbox was read", False, 5),
    ]
    assert results[0].expected.policies == ("blast_radius_limit",)
    assert results[1].actual == CaseOutcome(effect=CaseEffect.DENY, policies=("blast_radius_limit",))


@pytest.mark.parametrize(
    ("expect", "outcome", "passed"),
    [
        ("{effect: allow}", ("allow",), True),
        ("{effect: deny}", ("hold",), False),
        ("{policies: [b, a]}", ("deny", "a", "b"), True),
        ("{policies: []}", ("allow",), True),
        ("{policies: [a]}", ("deny", "a", "b"), False),
        ("{effect: allow, policies: [a]}", ("deny", "a"), False),
    ],
)
def test_what_is_not_expected_is_not_compared(expect, outcome, passed):
    text = f"tests: [{{name: t, request: {{action: read}}, expect: {expect}}}]"
    (result,) = run_cases(text, "t.yaml", decide=deciding(*outcome))
    assert result.passed is passed


def test_the_caller_gets_plain_requests_with_their_history():
    seen = []

    def decide(history, request):
        seen.append((history, request))
        return CaseOutcome(effect=CaseEffect.ALLOW)

    run_cases(FILE, "p.test.yaml", decide=decide)
    history, request = seen[1]
    assert history == [{"action": "read_inbox", "operation": "read", "seconds_ago": 30, "facts": {"n": 1}}]
    assert request["arguments"] == {"to": ["x"]}


def test_a_request_that_cannot_be_decided_fails_its_test_and_says_why():
    def decide(history, request):
        raise RequestError("The resource cannot be read.")

    first, _ = run_cases(FILE, "p.test.yaml", decide=decide)
    assert not first.passed and first.actual is None and first.error == "The resource cannot be read."


BAD = """\
tests:
  - {name: a, request: {action: read}}
  - {name: a, request: {acton: read}, expect: {effect: alow}}
  - name: c
    request: {action: 5, operation: raed, arguments: [], payload: 1, seconds_ago: 1}
    history: {}
    expect: {}
  - name: d
    request: {action: read}
    history: [{action: read, seconds_ago: -1}]
    expect: {policies: allow}
"""


def test_every_mistake_of_a_test_file_is_told_with_its_line():
    with pytest.raises(PolicyError) as caught:
        run_cases(BAD, "p.test.yaml", decide=deciding("allow"))
    assert [(one.line, one.code) for one in caught.value.problems] == [
        (2, "missing_key"),
        (3, "duplicate_name"),
        (3, "missing_key"),
        (3, "unknown_choice"),
        (3, "unknown_key"),
        (5, "bad_type"),
        (5, "bad_type"),
        (5, "bad_type"),
        (5, "unknown_key"),
        (5, "unknown_operation"),
        (6, "bad_type"),
        (7, "missing_key"),
        (10, "bad_value"),
        (11, "bad_type"),
    ]


@pytest.mark.parametrize("text", ["[]", "test: []", "tests: 1", "a: [", "tests: [1]"])
def test_what_is_no_test_file_is_refused(text):
    with pytest.raises(PolicyError):
        run_cases(text, "p.test.yaml", decide=deciding("allow"))


def test_an_empty_file_holds_no_tests():
    assert run_cases("", "p.test.yaml", decide=deciding("allow")) == ()
