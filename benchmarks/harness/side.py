"""A gateway that runs, and what loads measure of it. One goes at a time: they share a core."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.bench import Bench
from benchmarks.harness.ours import start_runs
from benchmarks.harness.result import Result
from benchmarks.harness.server import Load, Server, request_text
from benchmarks.harness.timing import median_of

OURS, DIRECT = "ours", "direct"
RUNS = 64
Figures = dict[str, float]
_WARM_CALLS, _WARM_SECONDS = 20, 60.0
_FAILURES = (RuntimeError, OSError, subprocess.SubprocessError)


@dataclass(frozen=True, slots=True)
class Gateway:
    """`command` with `{port}`; where it takes calls, and what it wants of their headers.

    One that `is_slow` is measured by a client that waits for every answer: much of a short round would be
    under way at its end, and its work for clients that are gone would be counted against it.
    """

    name: str
    command: tuple[str, ...] = ()
    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    is_slow: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """A gateway with its server; each request goes to the next of `prefixes`."""

    gateway: Gateway
    server: Server
    directory: Path
    prefixes: tuple[str, ...] = ("",)
    is_upstream: bool = False  # what the gateways stand before: never paused

    @contextmanager
    def alone(self) -> Iterator[None]:
        """It runs; all others are paused."""
        self.server.resume()
        try:
            yield
        finally:
            if not self.is_upstream:
                self.server.pause()

    def warm(self, body: str) -> None:
        """Take some calls first: what is loaded or made on the first is not what is measured.

        Raises RuntimeError when there is no answer with 200 in time.
        """
        deadline = time.monotonic() + _WARM_SECONDS
        with self.alone():
            while not self._answers(body):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.gateway.name} answers nothing")
                time.sleep(0.2)
            self.server.measure(self._load(body, 16, 1), str(self.directory))

    def rounds(self, body: str, connections: int, *, rounds: int, seconds: int) -> Figures:
        """`rate`, `p50` and `p99` in milliseconds, `cpu` in µs of the gateway for a call."""
        measured = [self._round(body, connections, seconds) for _ in range(rounds)]
        return {part: median_of(measured, part) for part in measured[0]}

    def paced(self, body: str, *, rate: float, seconds: float) -> Figures:
        """What harness/paced.py measures, and `cpu` in µs of the gateway for a call."""
        load = self._load(body, 1, 1)
        requests = [request_text(load, body, prefix) for prefix in self.prefixes]
        with self.alone():
            before = self.server.cpu_seconds()
            figures = self.server.paced(requests, str(self.directory), rate=rate, seconds=seconds)
            spent = self.server.cpu_seconds() - before
        return figures | {"cpu": 1e6 * spent / figures["count"]}

    def request(self, body: str, index: int = 0) -> bytes:
        """One, as it goes over the wire."""
        prefix = self.prefixes[index % len(self.prefixes)]
        return request_text(self._load(body, 1, 1), body, prefix).encode()

    def _round(self, body: str, connections: int, seconds: int) -> Figures:
        with self.alone():
            before = self.server.cpu_seconds()
            figures = self.server.measure(self._load(body, connections, seconds), str(self.directory))
            spent = self.server.cpu_seconds() - before
        return figures | {"cpu": 1e6 * spent / max(figures["count"], 1)}

    def _load(self, body: str, connections: int, seconds: int) -> Load:
        gateway = self.gateway
        return Load(
            gateway.path,
            (body,),
            connections,
            seconds,
            gateway.headers,
            self.prefixes,
            waits=gateway.is_slow,
        )

    def _answers(self, body: str) -> bool:
        import httpx

        gateway, headers = self.gateway, {"Content-Type": "application/json", **dict(self.gateway.headers)}
        url = self.server.url + self.prefixes[0] + gateway.path
        try:
            with httpx.Client(timeout=_WARM_SECONDS) as client:
                return all(
                    client.post(url, content=body, headers=headers).status_code == 200
                    for _ in range(_WARM_CALLS)
                )
        except httpx.HTTPError:
            return False


class Field:
    """The sides of a claim. A peer that does not start or answers badly is left out; its rows say so."""

    def __init__(self, bench: Bench, stack: ExitStack, directory: Path) -> None:
        self._bench = bench
        self._stack = stack
        self._directory = directory
        self._running: dict[str, Side] = {}
        self._left_out: dict[str, str] = {}

    def start(self, name: str, make: Callable[[], Gateway], *, body: str, key: str = "") -> None:
        """It runs, has taken some calls, and is paused. With the `key`, ours gets runs to send them in."""
        self._bench.say(f"{name} starts")
        with self._failing(name, "did not start"):
            gateway = make()
            server = self._bench.pinned(gateway.command, dict(gateway.environment), self._directory)
            self._stack.enter_context(server)
            runs = tuple(f"/r/{run}" for run in start_runs(server, key, RUNS)) if key else ("",)
            self._running[name] = Side(gateway, server, self._directory, runs)
            self._running[name].warm(body)

    def add_upstream(self, gateway: Gateway, server: Server) -> None:
        """What the others stand before, measured like them."""
        self._running[DIRECT] = Side(gateway, server, self._directory, is_upstream=True)

    def measured(self, name: str, what: str, work: Callable[[Side], Figures]) -> Figures:
        """What the work measured; nothing of a side that is left out."""
        if side := self._running.get(name):
            self._bench.say(f"{name}: {what}")
            with self._failing(name, "did not answer every request with 200"):
                return work(side)
        return {}

    def beside(self, peer: str, claim: str, figures: tuple[float, float | None], **row: Any) -> Result:
        """A row: our figure, and the peer's where it has one."""
        ours, theirs = figures
        if theirs is not None:
            row["peer_name"] = self._running[peer].gateway.name
        elif peer in self._left_out:
            row["conditions"] = row["conditions"] | {"note": f"{peer} {self._left_out[peer]}"}
        return Result(claim=claim, ours=ours, peer=theirs, higher_is_better=row["unit"].endswith("/s"), **row)

    @contextmanager
    def _failing(self, name: str, how: str) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            if name in (OURS, DIRECT):
                raise
            self._running.pop(name, None)
            self._left_out[name] = how
            self._bench.say(f"{name} {how}: {error}")
