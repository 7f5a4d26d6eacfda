"""What a scraper is told, in Prometheus' words: counts and times by door, never by what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric

from clearance.core.model import CheckResult
from clearance.gateway.tallies import Tally, Times

Direction = Literal["sent", "received"]
MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
# Seconds. A decision takes 0.1 ms to a few; one that asks real systems or waits for a disk takes longer.
_DECISION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_UPSTREAM_BOUNDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """One process's, told from its event loop, read from any thread.

    Labels are few: names of doors, upstreams and reasons, never of agents.
    """

    def __init__(self, version: str) -> None:
        self._registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        Gauge("clearance_info", "Always 1.", ("version",), registry=registry).labels(version).set(1)
        self._decisions = Tally("clearance_decisions", "Actions decided.", ("door", "effect", "reason"))
        self._seconds = Times(
            "clearance_decision_seconds",
            "From an identified call to a durable decision.",
            ("door",),
            bounds=_DECISION_BOUNDS,
        )
        self._upstream = Times(
            "clearance_upstream_seconds",
            "From asking an upstream to the head of its answer, or to what went wrong.",
            ("door", "upstream", "status"),
            bounds=_UPSTREAM_BOUNDS,
        )
        self._resting = Gauge(
            "clearance_upstream_resting", "1 while its breaker is open.", ("upstream",), registry=registry
        )
        self._tokens = Tally("clearance_tokens", "Tokens, as providers counted them.", ("upstream", "kind"))
        self._cost = Tally("clearance_cost_usd", "US dollars, by the configured prices.", ("upstream",))
        self._bytes = Tally("clearance_bytes", "Bytes that passed through.", ("door", "direction"))
        for one in (self._decisions, self._seconds, self._upstream, self._tokens, self._cost, self._bytes):
            registry.register(one)
        self._open = Gauge("clearance_open", "Streams, sessions and tunnels.", ("door",), registry=registry)
        self._reloads = Counter("clearance_reloads", "Reloads.", ("result",), registry=registry)

    def decided(self, door: str, result: CheckResult, *, seconds: float) -> None:
        """One decision, and how long it took."""
        self._decisions.add(door, result.effect.value, result.reason_code)
        self._seconds.observe(seconds, door)

    def answered(self, door: str, upstream: str, *, status: str, seconds: float) -> None:
        """One attempt at an upstream. `status` is `200`, or the code of what went wrong."""
        self._upstream.observe(seconds, door, upstream, status)

    def resting(self, upstream: str, *, is_open: bool) -> None:
        """Whether it is left alone for a while."""
        _child(self._resting, upstream).set(is_open)

    def spent(self, upstream: str, *, input_tokens: int, output_tokens: int, cost_usd: float | None) -> None:
        """What one model call came to."""
        self._tokens.add(upstream, "input", by=input_tokens)
        self._tokens.add(upstream, "output", by=output_tokens)
        if cost_usd is not None:
            self._cost.add(upstream, by=cost_usd)

    def passed(self, door: str, direction: Direction, *, count: int) -> None:
        """So many bytes."""
        self._bytes.add(door, direction, by=count)

    def opened(self, door: str) -> None:
        """Something long-lived began; `closed` ends it."""
        _child(self._open, door).inc()

    def closed(self, door: str) -> None:
        _child(self._open, door).dec()

    def reloaded(self, result: Literal["applied", "refused"]) -> None:
        self._reloads.labels(result).inc()

    def read_at_scrape(self, name: str, about: str, read: Callable[[], float]) -> None:
        """A gauge whose value is asked for only when somebody scrapes."""
        self._registry.register(_AtScrape(name, about, read))

    def page(self) -> bytes:
        """The text format, version 0.0.4. May ask the store: not for an event loop."""
        return generate_latest(self._registry)


@lru_cache(maxsize=1_024)
def _child(of: Gauge, *labels: str) -> Gauge:
    """`labels` takes a lock and writes every label anew; there are few of them, and they stay."""
    return of.labels(*labels)


class _AtScrape:
    def __init__(self, name: str, about: str, read: Callable[[], float]) -> None:
        self._name, self._about, self._read = name, about, read

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(self._name, self._about, value=self._read())

    def describe(self) -> Iterable[Metric]:
        """Without it, registering would ask for a value."""
        yield GaugeMetricFamily(self._name, self._about)
