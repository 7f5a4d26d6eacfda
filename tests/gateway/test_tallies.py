"""Plain numbers are told as Prometheus' own counters and histograms would tell them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from clearance.gateway.tallies import Tally, Times

BOUNDS = (0.001, 0.25, 1.0, 5.0)
SEEN = [(0.0005, "a"), (0.001, "a"), (0.3, "b"), (7.5, "a"), (5.0, "b"), (0.25, "a")]


def told(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


def test_they_are_told_as_the_librarys_own() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally, times = Tally("calls", "Calls.", ("door", "to")), Times("took", "Time.", ("door",), bounds=BOUNDS)
    ours.register(tally)
    ours.register(times)
    counter = Counter("calls", "Calls.", ("door", "to"), registry=theirs)
    histogram = Histogram("took", "Time.", ("door",), buckets=BOUNDS, registry=theirs)
    assert told(ours) == told(theirs)
    for seconds, door in SEEN:
        tally.add(door, "x")
        tally.add(door, "y", by=2.5)
        times.observe(seconds, door)
        counter.labels(door, "x").inc()
        counter.labels(door, "y").inc(2.5)
        histogram.labels(door).observe(seconds)
    assert told(ours) == told(theirs)
