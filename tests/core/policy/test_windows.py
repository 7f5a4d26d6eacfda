"""The windows against a naive memory of everything, and their bounds."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from clearance.core.policy.windows import MAX_BUCKETS, Count, Distinct, Last, Total

# Steps of a quarter are exact in binary, so that the edge of a window is met exactly.
STEPS = st.lists(st.integers(0, 12).map(lambda quarters: quarters / 4), max_size=60)
SECONDS = st.integers(1, 20).map(float)


def times(steps):
    at, moments = 1_700_000_000.0, []
    for step in steps:
        at += step
        moments.append(at)
    return moments


@given(STEPS, SECONDS, st.integers(0, 8))
def test_count_agrees_with_counting_everything(steps, seconds, enough):
    window, seen = Count(enough=enough, seconds=seconds), []
    for now in times(steps):
        within = sum(now - at <= seconds for at in seen)
        assert window.is_reached(now) == (within >= enough)
        assert window.seen(now) == min(within, enough)
        window.add(now)
        seen.append(now)


@given(STEPS, SECONDS, st.integers(1, 5), st.data())
def test_distinct_agrees_with_remembering_everything_up_to_its_capacity(steps, seconds, capacity, data):
    window, seen = Distinct(capacity=capacity, seconds=seconds), []
    values = st.frozensets(st.sampled_from("abcdefgh"), max_size=3)
    for now in times(steps):
        present = data.draw(values)
        within = {value for at, kept in seen if now - at <= seconds for value in kept} | present
        found = window.distinct(now, present)
        assert (found >= capacity) == (len(within) >= capacity)
        if len(within) <= capacity:
            assert found == len(within)
        window.add(now, present)
        seen.append((now, present))
        assert len(window) <= capacity


@given(STEPS, SECONDS, st.data())
def test_a_total_never_misses_anything_and_keeps_nothing_a_buckets_width_too_long(steps, seconds, data):
    window, seen = Total(seconds=seconds), []
    width = seconds / (MAX_BUCKETS - 2)
    for now in times(steps):
        exact = sum(amount for at, amount in seen if now - at <= seconds)
        longest = sum(amount for at, amount in seen if now - at <= seconds + width)
        assert exact <= window.total(now) <= longest
        amount = Decimal(data.draw(st.integers(0, 1000))) / 100
        window.add(now, amount)
        seen.append((now, amount))


def test_a_total_is_exact_while_entries_stand_further_apart_than_a_bucket_is_wide():
    window = Total(seconds=254.0)
    for second in range(1000):
        window.add(float(second), Decimal(1))
    assert window.total(999.0) == 255


def test_windows_stay_small_however_much_they_see():
    count, total = Count(enough=10, seconds=3600.0), Total(seconds=3600.0)
    distinct = Distinct(capacity=10, seconds=3600.0)
    for step in range(50_000):
        at = step * 0.37
        count.add(at)
        total.add(at, Decimal("0.3"))
        distinct.add(at, (str(step),))
        assert len(total) <= MAX_BUCKETS
        assert len(distinct) <= 10
    assert count.seen(at) == 10


def test_a_clock_that_goes_back_never_shortens_a_memory():
    count, total = Count(enough=2, seconds=10.0), Total(seconds=10.0)
    distinct, last = Distinct(capacity=3, seconds=10.0), Last()
    for at in (100.0, 95.0):
        count.add(at)
        total.add(at, Decimal(1))
        distinct.add(at, (str(at),))
        last.add(at)
    assert count.is_reached(110.0)
    assert total.total(110.0) == 2
    assert distinct.distinct(110.0) == 2
    assert last.is_within(110.0, 10.0)


def test_what_could_not_be_known_is_forgotten_when_it_leaves_the_window():
    total, distinct = Total(seconds=10.0), Distinct(capacity=3, seconds=10.0)
    total.add(0.0, None)
    distinct.add(0.0, None)
    assert total.is_unknown(10.0) and distinct.is_unknown(10.0)
    assert not total.is_unknown(10.5) and not distinct.is_unknown(10.5)


def test_last_without_a_span_never_forgets():
    last = Last()
    assert not last.is_within(0.0, None)
    last.add(0.0)
    assert last.is_within(1e9, None)
    assert not last.is_within(11.0, 10.0)


@given(STEPS, SECONDS, st.data())
def test_a_total_that_is_corrected_is_as_if_the_amounts_had_been_known(steps, seconds, data):
    window, seen = Total(seconds=seconds), []
    width = seconds / (MAX_BUCKETS - 2)
    for now in times(steps):
        late = now - data.draw(st.integers(0, 4)) / 4  # what was asked first may be decided last
        reserved = Decimal(data.draw(st.integers(0, 100)))
        seen.append([window.add(late, reserved), late, reserved])
        entry = data.draw(st.sampled_from(seen))
        came_out = Decimal(data.draw(st.integers(0, 200)))
        window.change(entry[0], before=entry[2], after=came_out)
        entry[2] = came_out
        exact = sum(amount for _, at, amount in seen if now - at <= seconds)
        longest = sum(amount for at, _, amount in seen if now - at <= seconds + width)
        assert exact <= window.total(now) <= longest


@given(STEPS, SECONDS, st.integers(1, 5), st.data())
def test_a_count_with_one_left_out_agrees_with_never_having_seen_it(steps, seconds, enough, data):
    window, seen = Count(enough=enough, seconds=seconds), []
    for now in times(steps):
        if seen:
            out = data.draw(st.sampled_from(seen))
            others = list(seen)
            others.remove(out)
            within = sum(now - at <= seconds for at in others)
            assert window.is_reached(now, without=out) == (within >= enough)
            if data.draw(st.booleans()):
                window.remove(out)
                seen.remove(out)
        seen.append(window.add(now))
        assert window.is_reached(now) == (sum(now - at <= seconds for at in seen) >= enough)


def test_the_last_time_with_one_left_out_is_the_one_before():
    last = Last()
    assert [last.add(at) for at in (1.0, 3.0, 2.0)] == [1.0, 3.0, 3.0]
    assert last.is_within(4.0, 1.0, without=3.0)
    last.remove(3.0)
    assert not last.is_within(4.0, 1.0, without=3.0)
