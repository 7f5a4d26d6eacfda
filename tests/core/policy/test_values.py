"""Facts and arguments: every suffix and operator, and what is absent, of the wrong type or no number."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

ABSENT = "absent"
FACTS = [
    ({"record_count_exceeds": 25}, 26, "true"),
    ({"record_count_exceeds": 25}, 25, "false"),
    ({"record_count_exceeds": 25}, 25.5, "true"),
    ({"record_count_at_least": 25}, 25, "true"),
    ({"record_count_at_least": 25}, 24, "false"),
    ({"record_count_exceeds": 25}, 10**400, "true"),
    ({"record_count": 5}, 5, "true"),
    ({"record_count": 5}, 5.0, "true"),
    ({"record_count": [1, 2]}, 2, "true"),
    ({"record_count_in": [1, 2]}, 3, "false"),
    ({"record_count_not_in": [1, 2]}, 3, "true"),
    ({"record_count_not_in": [1, 2]}, 2, "false"),
    ({"ticket_region": "eu"}, "eu", "true"),
    ({"ticket_region": "e*"}, "eu", "false"),
    ({"ticket_region_in": ["eu", "us"]}, "asia", "false"),
    ({"ticket_region_not_in": ["eu", "us"]}, "asia", "true"),
    ({"ticket_region_pattern": "e*"}, "eu", "true"),
    ({"ticket_region_pattern": ["x", "e?"]}, "eu", "true"),
    ({"ticket_region_matches": "^(eu|us)$"}, "asia", "false"),
    ({"is_urgent": True}, True, "true"),
    ({"is_urgent": True}, False, "false"),
    ({"is_urgent": True}, 1, "unknown"),
    ({"record_count": 1}, True, "unknown"),
    ({"record_count_exceeds": 0}, True, "unknown"),
    ({"record_count_exceeds": 25}, "26", "unknown"),
    ({"record_count": 5}, "5", "unknown"),
    ({"ticket_region_matches": "5"}, 5, "unknown"),
    ({"ticket_region_pattern": "5"}, 5, "unknown"),
]
LIMITS = [
    {"amount_exceeds": 1},
    {"amount_at_least": 1},
    {"amount": 1},
    {"amount_in": [1]},
    {"amount_not_in": [1]},
    {"amount_pattern": "1"},
    {"amount_matches": "1"},
]


@pytest.mark.parametrize(("condition", "value", "expected"), FACTS, ids=str)
def test_a_fact_says(condition, value, expected, truth, make):
    name = next(iter(condition))
    for suffix in ("_not_in", "_at_least", "_exceeds", "_pattern", "_matches", "_in"):
        name = name.removesuffix(suffix)
    assert truth(condition, make(facts={name: value})) == expected


@pytest.mark.parametrize("condition", LIMITS, ids=str)
@pytest.mark.parametrize("value", [ABSENT, None, math.nan, math.inf, -math.inf], ids=str)
def test_what_cannot_be_known_of_a_fact_is_unknown(condition, value, truth, make):
    facts = {} if value is ABSENT else {"amount": value}
    assert truth(condition, make(facts=facts)) == "unknown"


@given(limit=st.floats(allow_nan=False, allow_infinity=False), value=st.integers() | st.floats())
def test_a_limit_agrees_with_arithmetic(limit, value, truth, make):
    request = make(facts={"amount": value})
    is_finite = isinstance(value, int) or math.isfinite(value)
    exceeds = {True: "true", False: "false"}[value > limit] if is_finite else "unknown"
    assert truth({"amount_exceeds": limit}, request) == exceeds
    reaches = {True: "true", False: "false"}[value >= limit] if is_finite else "unknown"
    assert truth({"amount_at_least": limit}, request) == reaches


ARGUMENTS = [
    # argument condition, arguments, truth
    ({"to": "bob"}, {"to": "bob"}, "true"),
    ({"to": "bob"}, {"to": "eve"}, "false"),
    ({"to": "bob"}, {}, "false"),
    ({"to": "bob"}, {"to": None}, "false"),
    ({"to": "bob"}, {"to": ["bob"]}, "unknown"),
    ({"to": ["bob", "ann"]}, {"to": "ann"}, "true"),
    ({"to": {"equals": "bob"}}, {"to": "bob"}, "true"),
    ({"to": {"in": ["bob"]}}, {}, "false"),
    ({"to": {"not_in": ["bob"]}}, {"to": "eve"}, "true"),
    ({"to": {"not_in": ["bob"]}}, {"to": "bob"}, "false"),
    ({"to": {"not_in": ["bob"]}}, {}, "unknown"),
    ({"n": {"exceeds": 5}}, {"n": 6}, "true"),
    ({"n": {"exceeds": 5}}, {"n": 5}, "false"),
    ({"n": {"exceeds": 5}}, {"n": "6"}, "unknown"),
    ({"n": {"exceeds": 5}}, {}, "unknown"),
    ({"n": {"exceeds": 5}}, {"n": math.nan}, "unknown"),
    ({"n": {"at_least": 5}}, {"n": 5}, "true"),
    ({"n": {"exceeds": 5, "in": [7, 8]}}, {"n": 7}, "true"),
    ({"n": {"exceeds": 5, "in": [7, 8]}}, {"n": 6}, "false"),
    ({"path": {"pattern": "/etc/*"}}, {"path": "/etc/a/b"}, "true"),
    ({"path": {"pattern": "/etc/*"}}, {}, "false"),
    ({"path": {"pattern": "/etc/*"}}, {"path": 5}, "unknown"),
    ({"q": {"matches": "(?i)drop"}}, {"q": "DROP TABLE"}, "true"),
    ({"q": {"matches": "drop"}}, {}, "false"),
    ({"q": {"exists": True}}, {"q": None}, "true"),
    ({"q": {"exists": True}}, {}, "false"),
    ({"q": {"exists": False}}, {}, "true"),
    ({"a.b": 1}, {"a": {"b": 1}}, "true"),
    ({"a.b": {"exists": True}}, {"a": 5}, "false"),
    ({"a.b": 1}, {"a": [{"b": 1}]}, "false"),
    ({"a.*.b": 1}, {"a": [{"b": 2}, {"b": 1}]}, "true"),
    ({"a.*": 1}, {"a": {"x": 2, "y": 1}}, "true"),
    ({"a.*.b": {"exceeds": 1}}, {"a": [{"b": 0}, {}]}, "unknown"),
    ({"a.*.b": {"exceeds": 1}}, {"a": []}, "false"),
    ({"a.*.b": {"not_in": [1]}}, {"a": [{"b": 1}, {"b": 2}]}, "true"),
    ({"a.*.b": {"exists": True}}, {"a": [{}, {"b": 0}]}, "true"),
    ({"a": 1, "b": 2}, {"a": 1, "b": 2}, "true"),
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "false"),
    ({"flag": True}, {"flag": 1}, "unknown"),
]


@pytest.mark.parametrize(("condition", "arguments", "expected"), ARGUMENTS, ids=str)
def test_an_argument_says(condition, arguments, expected, truth, make):
    assert truth({"argument": condition}, make(arguments=arguments)) == expected
