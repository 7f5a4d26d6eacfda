"""Guessing is slowed down, and memory stays bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from clearance.runtime.throttle import Throttle

NOW = datetime(2026, 7, 14, 12, tzinfo=UTC)


def test_the_wait_doubles_after_the_free_tries_up_to_the_longest() -> None:
    throttle = Throttle(free=3, longest=timedelta(seconds=5))
    at, waits = NOW, []
    for _ in range(3):
        assert throttle.attempt("a", at)
    for _ in range(5):
        assert throttle.attempt("a", at)
        waited = timedelta()
        while not throttle.attempt("a", at + waited):
            waited += timedelta(milliseconds=500)
        throttle.forgive("a")
        at += waited
        waits.append(waited.total_seconds())
    assert waits == sorted(waits)
    assert waits[0] <= 1
    assert waits[-1] == 5


def test_success_forgets_and_a_day_later_so_does_time() -> None:
    throttle = Throttle(free=1, longest=timedelta(minutes=1))
    assert throttle.attempt("a", NOW)
    assert throttle.attempt("a", NOW)
    assert not throttle.attempt("a", NOW)
    throttle.succeeded("a")
    assert throttle.attempt("a", NOW)
    assert throttle.attempt("a", NOW)
    assert not throttle.attempt("a", NOW)
    tomorrow = NOW + timedelta(days=1)
    assert all(throttle.attempt("a", tomorrow) for _ in range(2))


def test_of_fifty_tries_at_once_only_the_free_ones_go_through() -> None:
    throttle = Throttle(free=5, longest=timedelta(minutes=1))
    with ThreadPoolExecutor(50) as pool:
        tried = list(pool.map(lambda _: throttle.attempt("a", NOW), range(50)))
    assert sum(tried) == 6  # the sixth is the one that has to wait from then on


def test_only_the_first_refusal_of_a_wait_is_told() -> None:
    throttle = Throttle(free=0, longest=timedelta(minutes=1))
    throttle.attempt("a", NOW)
    assert [throttle.is_first_refusal("a", NOW) for _ in range(3)] == [True, False, False]
    assert not throttle.is_first_refusal("b", NOW)


def test_a_flood_of_names_does_not_grow_memory() -> None:
    throttle = Throttle(free=0, longest=timedelta(minutes=1), most=100)
    for number in range(1_000):
        throttle.attempt(f"name-{number}", NOW)
    assert len(throttle._failures) == 100
    assert not throttle.attempt("name-999", NOW)
    assert throttle.attempt("name-0", NOW)
