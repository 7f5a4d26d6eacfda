"""What is remembered of a past, in bounded memory: exact, or over-counted, never under-counted.

Plain mutable objects; times are epoch seconds, passed in. An entry is within a window while its age is at
most `seconds`. A time before the last one counts as the last one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Collection
from decimal import Context, Decimal
from math import inf
from typing import Final

from msgspec import Struct

MAX_BUCKETS: Final = 256
TALLY_SLOTS: Final = 64

# Enough digits for any sum of amounts from the least float, 5e-324, to MAX_AMOUNT: nothing is rounded.
EXACT: Final = Context(prec=1000, traps=[])
# More than any limit, which is at most the greatest float.
MAX_AMOUNT: Final = 10**309

Amount = Decimal | int  # both exact; whole numbers are added up an order of magnitude sooner


def plus(one: Amount, other: Amount) -> Amount:
    """Exactly."""
    return one + other if type(one) is type(other) is int else EXACT.add(one, other)


def minus(one: Amount, other: Amount) -> Amount:
    """Exactly."""
    return one - other if type(one) is type(other) is int else EXACT.subtract(one, other)


class Entry(Struct, frozen=True):
    """What one action put into a window: under which time, and which amount where it is added up."""

    at: float
    amount: Amount | None = None


class Last:
    """When something was last seen, and when before that: so that one entry can be taken back."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=2)

    @property
    def at(self) -> float | None:
        return self._times[-1] if self._times else None

    def add(self, at: float) -> float:
        """The time under which it counts."""
        return _appended(self._times, at)

    def remove(self, at: float) -> None:
        """Take one entry back."""
        _removed(self._times, at)

    def is_within(self, now: float, seconds: float | None, *, without: float | None = None) -> bool:
        """`without` leaves one entry out."""
        times = self._times if without is None else _without(self._times, without)
        return bool(times) and (seconds is None or now - times[-1] <= seconds)


class Count:
    """Whether something was seen at least `enough` times: the last `enough` times decide that exactly."""

    __slots__ = ("_enough", "_seconds", "_times")

    def __init__(self, *, enough: int, seconds: float) -> None:
        self._enough = enough
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=enough + 1)  # one more, so that one can be left out

    def add(self, at: float) -> float:
        """The time under which it counts."""
        return _appended(self._times, at)

    def remove(self, at: float) -> None:
        """Take one entry back."""
        _removed(self._times, at)

    def is_reached(self, now: float, *, without: float | None = None) -> bool:
        """`without` leaves one entry out."""
        if not self._enough:
            return True
        times = self._times if without is None else _without(self._times, without)
        return len(times) >= self._enough and now - times[-self._enough] <= self._seconds

    def seen(self, now: float) -> int:
        """How often, up to `enough`."""
        return min(sum(now - at <= self._seconds for at in self._times), self._enough)


def _appended(times: deque[float], at: float) -> float:
    times.append(max(at, times[-1]) if times else at)
    return times[-1]


def _removed(times: deque[float], at: float) -> None:
    if at in times:
        times.remove(at)


def _without(times: deque[float], at: float) -> deque[float]:
    """Entries of one time are as good as each other."""
    left = times.copy()
    _removed(left, at)
    return left


class Total:
    """A sum over a window, from at most MAX_BUCKETS buckets.

    Entries closer together than a bucket is wide share one, which leaves the window with its newest entry:
    an amount may count up to a bucket's width too long, never too short. Amounts are 0 to MAX_AMOUNT.
    """

    __slots__ = ("_before", "_gone_until", "_newest", "_opened", "_seconds", "_sums", "_unknown", "_width")

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        # Two fewer than the limit: one bucket may stand half inside at either end of the window.
        self._width = seconds / (MAX_BUCKETS - 2)
        self._newest: list[float] = []  # per bucket: the time of its newest entry
        self._sums: list[Amount] = []  # per bucket: everything up to and including it
        self._before: Amount = 0  # everything before the first bucket
        self._opened = 0.0  # when the last bucket was begun
        self._gone_until = -inf  # the newest entry of what was let go
        self._unknown = Last()

    def add(self, at: float, amount: Amount | None) -> float:
        """The time under which it counts. None: an amount that cannot be known."""
        if amount is None:
            return self._unknown.add(at)
        at = max(at, self._newest[-1]) if self._newest else at
        self._forget(at)
        total = plus(self._sums[-1] if self._sums else self._before, amount)
        if self._newest and at - self._opened < self._width:
            self._newest[-1], self._sums[-1] = at, total
            return at
        self._newest.append(at)
        self._sums.append(total)
        self._opened = at
        return at

    def change(self, at: float, *, before: Amount | None, after: Amount) -> None:
        """Correct one entry, where and for as long as it counts: an amount that came out otherwise."""
        if before is None:  # that it was not known stays so: another may have been unknown at that time
            self.add(at, after)
            return
        if at <= self._gone_until:
            return
        by = minus(after, before)
        for place in range(bisect_left(self._newest, at), len(self._sums)):
            self._sums[place] = plus(self._sums[place], by)

    def remove(self, at: float, amount: Amount | None) -> None:
        """Take one entry back."""
        if amount is None:
            self._unknown.remove(at)
        else:
            self.change(at, before=amount, after=0)

    def total(self, now: float, *, without: Entry | None = None) -> Amount:
        """`without` leaves one entry out."""
        gone = self._gone(now)
        if gone == len(self._sums):
            return 0
        total = minus(self._sums[-1], self._sums[gone - 1] if gone else self._before)
        if without is None or without.amount is None or not self._holds(without.at, gone):
            return total
        return minus(total, without.amount)

    def is_unknown(self, now: float, *, without: Entry | None = None) -> bool:
        """Whether an amount within the window could not be known; `without` leaves one entry out."""
        left_out = without.at if without is not None and without.amount is None else None
        return self._unknown.is_within(now, self._seconds, without=left_out)

    def _holds(self, at: float, gone: int) -> bool:
        return at > self._gone_until and bisect_left(self._newest, at) >= gone

    def __len__(self) -> int:
        return len(self._newest)

    def _forget(self, now: float) -> None:
        gone = self._gone(now)
        if gone:
            self._before = self._sums[gone - 1]
            self._gone_until = self._newest[gone - 1]
            del self._newest[:gone], self._sums[:gone]
        if not self._newest:
            self._before = 0

    def _gone(self, now: float) -> int:
        if not self._newest or self._newest[0] - now >= -self._seconds:
            return 0
        return bisect_left(self._newest, -self._seconds, key=lambda at: at - now)


class Tally:
    """How many of how many, within a window cut into slots: an entry leaves with its whole slot.

    It may count up to a slot's width too long, never too short. Adding and asking cost the same always.
    """

    __slots__ = ("_bad", "_bads", "_of", "_ofs", "_slot", "_width")

    def __init__(self, *, seconds: float) -> None:
        self._width = seconds / (TALLY_SLOTS - 1)
        self._bads, self._ofs = [0] * TALLY_SLOTS, [0] * TALLY_SLOTS
        self._bad = self._of = 0
        self._slot = 0

    def add(self, at: float, *, bad: int) -> None:
        self._go_to(at)
        place = self._slot % TALLY_SLOTS
        self._bads[place] += bad
        self._ofs[place] += 1
        self._bad += bad
        self._of += 1

    def seen(self, now: float) -> tuple[int, int]:
        """The bad ones, and all."""
        self._go_to(now)
        return self._bad, self._of

    def _go_to(self, at: float) -> None:
        slot = max(int(at // self._width), self._slot)
        for gone in range(self._slot + 1, min(slot, self._slot + TALLY_SLOTS) + 1):
            place = gone % TALLY_SLOTS
            self._bad -= self._bads[place]
            self._of -= self._ofs[place]
            self._bads[place] = self._ofs[place] = 0
        self._slot = slot


class Distinct:
    """How many different values were seen: the `capacity` most recent decide any limit below that exactly."""

    __slots__ = ("_capacity", "_last", "_seconds", "_seen", "_unknown")

    def __init__(self, *, capacity: int, seconds: float) -> None:
        self._capacity = capacity
        self._seconds = seconds
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._last = 0.0
        self._unknown = Last()

    def add(self, at: float, values: Collection[str] | None) -> float:
        """The time under which they count. None: values that cannot be known."""
        if values is None:
            return self._unknown.add(at)
        self._last = at = max(at, self._last)
        for value in values:
            self._seen[value] = at
            self._seen.move_to_end(value)
        while self._seen and (len(self._seen) > self._capacity or self._is_old(at)):
            self._seen.popitem(last=False)
        return at

    def distinct(self, now: float, present: Collection[str] = ()) -> int:
        """Different values within the window, the present ones among them; exact up to `capacity`."""
        old = 0
        for at in self._seen.values():
            if now - at <= self._seconds:
                break
            old += 1
        fresh = sum(now - self._seen.get(value, -inf) > self._seconds for value in present)
        return len(self._seen) - old + fresh

    def is_unknown(self, now: float) -> bool:
        return self._unknown.is_within(now, self._seconds)

    def __len__(self) -> int:
        return len(self._seen)

    def _is_old(self, now: float) -> bool:
        return now - next(iter(self._seen.values())) > self._seconds


Window = Last | Count | Total | Distinct
