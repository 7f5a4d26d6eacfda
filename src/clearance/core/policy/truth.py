"""Three-valued logic (Kleene): every condition is TRUE, FALSE or UNKNOWN. Plain integers, for speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from clearance.core.policy.view import View

# Ordered, so that "and" is the minimum, "or" the maximum, and "not" the distance from TRUE.
FALSE: Final = 0
UNKNOWN: Final = 1
TRUE: Final = 2

NAMES: Final = ("false", "unknown", "true")

Test = Callable[[View], int]


def always(_view: View) -> int:
    return TRUE


def conjunction(tests: Sequence[Test]) -> Test:
    """TRUE when every test is; FALSE as soon as one is."""
    match tests:
        case []:
            return always
        case [only]:
            return only
        case [first, second]:
            return _both(first, second)

    def every(view: View) -> int:
        least = TRUE
        for test in tests:
            truth = test(view)
            if not truth:
                return FALSE
            if truth < least:
                least = truth
        return least

    return every


def _both(first: Test, second: Test) -> Test:
    def both(view: View) -> int:
        truth = first(view)
        if not truth:
            return FALSE
        other = second(view)
        return other if other < truth else truth

    return both


def disjunction(tests: Sequence[Test]) -> Test:
    """TRUE as soon as one test is; FALSE when none is."""
    match tests:
        case [only]:
            return only
        case [first, second]:
            return _either(first, second)

    def some(view: View) -> int:
        most = FALSE
        for test in tests:
            truth = test(view)
            if truth == TRUE:
                return TRUE
            if truth > most:
                most = truth
        return most

    return some


def _either(first: Test, second: Test) -> Test:
    def either(view: View) -> int:
        truth = first(view)
        if truth == TRUE:
            return TRUE
        other = second(view)
        return other if other > truth else truth

    return either


def negation(test: Test) -> Test:
    def opposite(view: View) -> int:
        return TRUE - test(view)

    return opposite
