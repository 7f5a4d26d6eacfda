"""Kleene's tables, and the groups that rest on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.policy.truth import FALSE, TRUE, UNKNOWN, conjunction, disjunction, negation

TRUTHS = st.lists(st.sampled_from([FALSE, UNKNOWN, TRUE]), max_size=6)


def constant(truth):
    return lambda _view: truth


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (TRUE, TRUE, TRUE, TRUE),
        (TRUE, UNKNOWN, UNKNOWN, TRUE),
        (TRUE, FALSE, FALSE, TRUE),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
        (UNKNOWN, FALSE, FALSE, UNKNOWN),
        (FALSE, FALSE, FALSE, FALSE),
    ],
)
def test_the_tables_are_those_of_kleene(left, right, both, either):
    for one, other in ((left, right), (right, left)):
        assert conjunction([constant(one), constant(other)])(None) == both
        assert disjunction([constant(one), constant(other)])(None) == either


def test_not_turns_true_and_false_around_and_leaves_unknown():
    assert [negation(constant(one))(None) for one in (FALSE, UNKNOWN, TRUE)] == [TRUE, UNKNOWN, FALSE]


@given(TRUTHS)
def test_and_is_the_least_and_or_the_greatest_however_many_there_are(truths):
    tests = [constant(truth) for truth in truths]
    assert conjunction(tests)(None) == min(truths, default=TRUE)
    assert disjunction(tests)(None) == max(truths, default=FALSE)


@given(TRUTHS)
def test_de_morgan_holds(truths):
    tests = [constant(truth) for truth in truths]
    opposite = [negation(test) for test in tests]
    assert negation(conjunction(tests))(None) == disjunction(opposite)(None)


def test_a_test_after_a_false_one_is_not_asked():
    def forbidden(_view):
        raise AssertionError("asked")

    for tests in ([constant(FALSE), forbidden], [constant(TRUE), constant(FALSE), forbidden]):
        assert conjunction(tests)(None) == FALSE
