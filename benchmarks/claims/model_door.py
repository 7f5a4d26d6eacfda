"""The model door: a chat completion through it, beside LiteLLM, Portkey and nginx on one upstream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Bench, Load, Result, Server, at_least, at_most, median_of, refunds
from benchmarks.harness import gateways as known
from benchmarks.harness.gateways import MODEL, Gateway
from benchmarks.harness.model_upstream import EVENTS
from benchmarks.harness.result import Target
from benchmarks.harness.server import generator_name, request_text

KILOBYTES = (4, 64)
CONNECTIONS = (1, 16, 32, 64)
RUNS = 64
POLICIES = 100
ROUNDS, SECONDS, WARM_UP_SECONDS = 3, 3, 2
PACE, SLOW_PACE = (
    500,
    40,
)  # requests a second; the peers in Python and JavaScript are past their capacity at 500
STREAMS, SLOW_STREAMS = 20, 4  # a second
PACED_SECONDS = 8
UNITS = {"rate": "req/s", "p50": "ms", "p99": "ms", "cpu": "µs"}  # cpu: of the gateway, for one call
TARGETS: dict[tuple[int, int, str], Target] = {
    (4, 32, "rate"): at_least(4_000),
    (4, 32, "p99"): at_most(20),
    (64, 32, "rate"): at_least(2_000),
}
TIMES_BETTER = {"litellm": 40.0, "portkey": 10.0}  # at 4 KB and 32 connections


@dataclass(frozen=True, slots=True)
class Side:
    """A gateway that runs."""

    gateway: Gateway
    server: Server
    prefixes: tuple[str, ...] = ("",)
    is_upstream: bool = False

    @contextmanager
    def alone(self) -> Iterator[Server]:
        """It runs; all others are paused, since they share its core."""
        self.server.resume()
        yield self.server
        if not self.is_upstream:
            self.server.pause()

    def load(self, kilobytes: int, connections: int, seconds: int) -> Load:
        bodies = (_body(kilobytes),)
        return Load(self.gateway.path, bodies, connections, seconds, self.gateway.headers, self.prefixes)


def measure(bench: Bench) -> Iterator[Result]:
    with bench.store() as directory, ExitStack() as stack:
        here = Path(directory)
        serve = ["-m", "benchmarks.harness.model_upstream"]
        upstream = stack.enter_context(bench.server(Path(sys.executable), serve))
        sides = _start(bench, stack, here, upstream.port)
        for name, side in sides.items():
            bench.say(f"{name} takes calls")
            with side.alone() as server:
                server.measure(side.load(4, 16, WARM_UP_SECONDS), directory)
        direct = Side(Gateway("no gateway", ()), upstream, is_upstream=True)
        yield from _throughput(bench, sides, directory)
        yield from _added(bench, sides, direct, directory)
        yield from _streaming(bench, sides, direct, directory)


def _start(bench: Bench, stack: ExitStack, here: Path, upstream: int) -> dict[str, Side]:
    gateways = {
        "ours": known.ours(here, upstream, _agent_key(here / "store")),
        "nginx": known.nginx(here, upstream),
        "litellm": known.litellm(here, upstream),
        "portkey": known.portkey(upstream),
    }
    policies = {"CLEARANCE_POLICIES": refunds.write_ours(POLICIES, str(here))}
    sides = {}
    for name, gateway in gateways.items():
        environment = {**dict(gateway.environment), **(policies if name == "ours" else {})}
        server = stack.enter_context(bench.pinned(gateway.command, environment, here))
        prefixes = _runs(server, gateway) if name == "ours" else ("",)
        sides[name] = Side(gateway, server, prefixes)
        server.pause()
    return sides


def _throughput(bench: Bench, sides: dict[str, Side], directory: str) -> Iterator[Result]:
    for kilobytes in KILOBYTES:
        for connections in CONNECTIONS:
            bench.say(f"{kilobytes} KB, {connections} connections")
            measured: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
            for index in range(ROUNDS):
                for name in sides if index % 2 == 0 else reversed(sides):
                    load = sides[name].load(kilobytes, connections, SECONDS)
                    with sides[name].alone() as server:
                        measured[name].append(_round(server, load, directory))
            for part in UNITS:
                for peer in ("nginx", "litellm", "portkey"):
                    yield _row(sides, measured, peer, (kilobytes, connections, part))


def _round(server: Server, load: Load, directory: str) -> dict[str, float]:
    before = server.cpu_seconds()
    figures = server.measure(load, directory)
    spent = server.cpu_seconds() - before
    return figures | {"cpu": 1e6 * spent / max(figures["rate"] * load.seconds, 1)}


def _row(
    sides: dict[str, Side],
    measured: dict[str, list[dict[str, float]]],
    peer: str,
    what: tuple[int, int, str],
) -> Result:
    kilobytes, connections, part = what
    target = TARGETS.get(what) if peer == "nginx" else None
    if what == (4, 32, "rate") and peer in TIMES_BETTER:
        times = TIMES_BETTER[peer]
        target = Target(
            f"≥ {times:g} times the peer", lambda ours, peers: bool(peers) and ours >= times * (peers or 0)
        )
    return Result(
        claim=f"model_door/{kilobytes}kb_{connections}_connections_{part}_beside_{peer}",
        ours=median_of(measured["ours"], part),
        peer=median_of(measured[peer], part),
        peer_name=sides[peer].gateway.name,
        unit=UNITS[part],
        higher_is_better=part == "rate",
        target=target,
        conditions=_conditions() | {"rounds": ROUNDS, "seconds_per_round": SECONDS, "load": generator_name()},
    )


def _added(bench: Bench, sides: dict[str, Side], direct: Side, directory: str) -> Iterator[Result]:
    """What a gateway adds to the median of calls that come at a steady pace."""

    def p50(side: Side, rate: int) -> float:
        requests = [request_text(side.load(4, 1, 1), _body(4), prefix) for prefix in side.prefixes]
        bench.say(f"{side.gateway.name}: {rate} requests a second")
        with side.alone() as server:
            return server.paced(requests, directory, rate=rate, seconds=PACED_SECONDS)["whole_p50"]

    base = {rate: p50(direct, rate) for rate in (PACE, SLOW_PACE)}
    for peer, rate in (("nginx", PACE), ("litellm", SLOW_PACE), ("portkey", SLOW_PACE)):
        yield Result(
            claim=f"model_door/added_p50_at_{rate}_a_second_beside_{peer}",
            ours=p50(sides["ours"], rate) - base[rate],
            peer=p50(sides[peer], rate) - base[rate],
            peer_name=sides[peer].gateway.name,
            unit="ms",
            target=at_most(0.8) if rate == PACE else None,
            conditions=_conditions() | {"direct_p50_ms": round(base[rate], 3)},
        )


def _streaming(bench: Bench, sides: dict[str, Side], direct: Side, directory: str) -> Iterator[Result]:
    """Time to the first bytes of a stream, and what an event costs the gateway's processor."""

    def measured(side: Side, rate: int) -> tuple[float, float]:
        body = _body(4, streams=True)
        requests = [request_text(side.load(4, 1, 1), body, prefix) for prefix in side.prefixes]
        bench.say(f"{side.gateway.name}: {rate} streams a second")
        with side.alone() as server:
            before = server.cpu_seconds()
            figures = server.paced(requests, directory, rate=rate, seconds=PACED_SECONDS)
            spent = server.cpu_seconds() - before
        return figures["first_p50"], 1e6 * spent / (figures["count"] * EVENTS)

    base = {rate: measured(direct, rate)[0] for rate in (STREAMS, SLOW_STREAMS)}
    ours = {rate: measured(sides["ours"], rate) for rate in (STREAMS, SLOW_STREAMS)}
    for peer, rate in (("nginx", STREAMS), ("litellm", SLOW_STREAMS), ("portkey", SLOW_STREAMS)):
        first, cost = measured(sides[peer], rate)
        rows = (
            ("first_token_added_p50", ours[rate][0] - base[rate], first - base[rate], "ms", at_most(1)),
            ("cpu_of_an_event", ours[rate][1], cost, "µs", at_most(40)),
        )
        for name, mine, theirs, unit, target in rows:
            yield Result(
                claim=f"model_door/stream_{name}_beside_{peer}",
                ours=mine,
                peer=theirs,
                peer_name=sides[peer].gateway.name,
                unit=unit,
                target=target if peer == "nginx" else None,
                conditions=_conditions() | {"streams_a_second": rate, "events": EVENTS},
            )


def _conditions() -> dict[str, object]:
    return {
        "cores": "one for the gateway; load and upstream share the machine",
        "recorded": "ours: each call, durable before it goes out; the others: nothing",
        "policies": f"ours: {POLICIES}",
    }


def _body(kilobytes: int, *, streams: bool = False) -> str:
    """A conversation: most of it is there before, the last message is another in every request."""
    asked = "Request @@@@@@@@: settle the refund of the customer above. " + "Mind the limits. " * 20
    head = {"model": MODEL, "max_tokens": 200} | ({"stream": True} if streams else {})

    def text(filler: str) -> str:
        messages = [{"role": "system", "content": filler}, {"role": "user", "content": asked}]
        return json.dumps(head | {"messages": messages})

    words = "You settle refunds for a shop, by the book. "
    missing = kilobytes * 1024 - len(text(""))
    return text((words * (missing // len(words) + 1))[:missing])


def _agent_key(store: Path) -> str:
    """A key, made in the store before the server opens it."""
    from clearance.adapters.identity import new_key
    from clearance.adapters.store import SqliteState
    from clearance.core.model import Agent
    from clearance.wiring import utc_now

    state = SqliteState(store)
    state.agents.add_agent(Agent(name="bench", created_at=utc_now()))
    key, stored = new_key("bench", at=utc_now())
    state.credentials.add_credential(stored)
    state.close()
    return key


def _runs(server: Server, gateway: Gateway) -> tuple[str, ...]:
    """The prefixes of as many runs as agents would have."""
    import httpx

    with httpx.Client(base_url=server.url, headers=dict(gateway.headers)) as client:
        answers = [client.post("/v1/runs", json={"goal": "settle refunds"}) for _ in range(RUNS)]
    return tuple(f"/r/{answer.raise_for_status().json()['run_id']}" for answer in answers)
