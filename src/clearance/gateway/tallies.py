"""Counts and times of the hot path, kept as plain numbers; they become Prometheus' metrics when it asks.

Its own counters take a lock and a handful of calls for each addition, and a dozen come with every action.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_Labels = tuple[str, ...]


class Tally(Collector):
    """A counter by labels. Added to by one thread; read by any."""

    def __init__(self, name: str, about: str, labels: Sequence[str]) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._totals: dict[_Labels, float] = {}

    def add(self, *labels: str, by: float = 1) -> None:
        """Count `by` more for these labels."""
        self._totals[labels] = self._totals.get(labels, 0.0) + by

    def describe(self) -> Iterable[Metric]:
        yield CounterMetricFamily(self._name, self._about, labels=self._labels)

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._about, labels=self._labels)
        for labels, total in self._totals.copy().items():
            family.add_metric(labels, total)
        yield family


class Times(Collector):
    """A histogram of seconds by labels, up to each of `bounds`. Added to by one thread; read by any."""

    def __init__(self, name: str, about: str, labels: Sequence[str], *, bounds: Sequence[float]) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._bounds = bounds
        self._seen: dict[_Labels, tuple[list[int], list[float]]] = {}  # how many by bound, and their sum

    def observe(self, seconds: float, *labels: str) -> None:
        """Note one more that took so long."""
        seen = self._seen.get(labels)
        if seen is None:
            seen = self._seen[labels] = [0] * (len(self._bounds) + 1), [0.0]
        seen[0][bisect_left(self._bounds, seconds)] += 1
        seen[1][0] += seconds

    def describe(self) -> Iterable[Metric]:
        yield HistogramMetricFamily(self._name, self._about, labels=self._labels)

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        for labels, (counts, (total,)) in self._seen.copy().items():
            places = zip((*map(str, self._bounds), "+Inf"), accumulate(counts), strict=True)
            family.add_metric(labels, [*places], total)
        yield family
