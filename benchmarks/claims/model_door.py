"""The model door: a chat completion through it, beside LiteLLM, Portkey and nginx on one upstream."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.harness import Bench, Result, at_least, at_most
from benchmarks.harness import gateways as known
from benchmarks.harness.gateways import CHAT, MODEL
from benchmarks.harness.model_upstream import EVENTS, SLOW
from benchmarks.harness.ours import POLICIES, agent_key
from benchmarks.harness.result import Target, at_least_times
from benchmarks.harness.server import generator_name
from benchmarks.harness.side import DIRECT, OURS, Field, Figures, Gateway, Side

CONNECTIONS = {4: (1, 16, 32, 64), 64: (1, 16, 64)}  # by the kilobytes of a call
CPU_AT = {4: 32, 64: 64}  # connections
ROUNDS, SECONDS = 2, 2
SLOW_ROUNDS, SLOW_SECONDS = 1, 2
PACE, SLOW_PACE = (
    500,
    20,
)  # requests a second; the peers in Python and JavaScript are past their capacity at 500
STREAMS, SLOW_STREAMS = 20, 2  # a second
PACED_SECONDS = 3
OPEN_STREAMS = 500
UNITS = {"rate": "req/s", "p50": "ms", "p99": "ms", "cpu": "µs"}  # cpu: of the gateway, for one call
LIMIT, PEERS = "nginx", ("litellm", "portkey")
TARGETS: dict[tuple[str, int, int, str], Target] = {
    (LIMIT, 4, 32, "rate"): at_least(4_000),
    (LIMIT, 4, 32, "p99"): at_most(20),
    (LIMIT, 64, 64, "rate"): at_least(2_000),
    ("litellm", 4, 32, "rate"): at_least_times(40),
    ("portkey", 4, 32, "rate"): at_least_times(10),
}


def measure(bench: Bench) -> Iterator[Result]:
    with bench.store() as directory, ExitStack() as stack:
        here = Path(directory)
        stack.enter_context(bench.aside())
        serve = ["-m", "benchmarks.harness.model_upstream"]
        upstream = stack.enter_context(bench.server(Path(sys.executable), serve))
        field = Field(bench, stack, here)
        key, body = agent_key(here / "store"), _body(4)
        field.add_upstream(Gateway("no gateway", path=CHAT), upstream)
        field.start(OURS, lambda: known.clearance(here, upstream.port, key), body=body, key=key)
        field.start("nginx", lambda: known.nginx(here, upstream.port), body=body)
        field.start("litellm", lambda: known.litellm(here, upstream.port), body=body)
        field.start("portkey", lambda: known.portkey(upstream.port), body=body)
        memory = _memory(field)  # first: later on, what streams need is there already, left by others
        for kilobytes, each in CONNECTIONS.items():
            for connections in each:
                yield from _throughput(field, kilobytes, connections)
        yield from _added(field)
        yield from _streams(field)
        yield memory


def _throughput(field: Field, kilobytes: int, connections: int) -> Iterator[Result]:
    body = _body(kilobytes)

    def measured(name: str, rounds: int, seconds: int) -> Figures:
        what = f"{kilobytes} KB, {connections} connections"
        return field.measured(
            name, what, lambda side: side.rounds(body, connections, rounds=rounds, seconds=seconds)
        )

    figures = {name: measured(name, ROUNDS, SECONDS) for name in (OURS, LIMIT)}
    figures |= {name: measured(name, SLOW_ROUNDS, SLOW_SECONDS) for name in PEERS}
    for peer in (LIMIT, *PEERS):
        for part in UNITS if connections == CPU_AT[kilobytes] else ("rate", "p50", "p99"):
            yield field.beside(
                peer,
                f"model_door/{kilobytes}kb_{connections}_connections_{part}_beside_{peer}",
                (figures[OURS][part], figures[peer].get(part)),
                unit=UNITS[part],
                target=TARGETS.get((peer, kilobytes, connections, part)),
                conditions=_conditions() | {"load": _load(peer)},
            )


def _added(field: Field) -> Iterator[Result]:
    """What a gateway adds to the median of calls that come at a steady pace."""
    body = _body(4)

    def p50(name: str, rate: int) -> float | None:
        figures = field.measured(
            name, f"{rate} requests a second", lambda side: side.paced(body, rate=rate, seconds=PACED_SECONDS)
        )
        return figures.get("whole_p50")

    base = {rate: p50(DIRECT, rate) or 0.0 for rate in (PACE, SLOW_PACE)}
    ours = {rate: (p50(OURS, rate) or 0.0) - base[rate] for rate in base}
    for peer, rate in ((LIMIT, PACE), *((name, SLOW_PACE) for name in PEERS)):
        theirs = p50(peer, rate)
        yield field.beside(
            peer,
            f"model_door/added_p50_at_{rate}_a_second_beside_{peer}",
            (ours[rate], None if theirs is None else theirs - base[rate]),
            unit="ms",
            target=at_most(0.8) if rate == PACE else None,
            conditions=_conditions() | {"direct_p50_ms": round(base[rate], 3)},
        )


def _streams(field: Field) -> Iterator[Result]:
    """Time to the first bytes of a stream, and what an event costs the gateway's processor."""
    body = _body(4, stream=True)

    def measured(name: str, rate: int) -> Figures:
        return field.measured(
            name, f"{rate} streams a second", lambda side: side.paced(body, rate=rate, seconds=PACED_SECONDS)
        )

    base = {rate: measured(DIRECT, rate)["first_p50"] for rate in (STREAMS, SLOW_STREAMS)}
    ours = {rate: measured(OURS, rate) for rate in base}
    for peer, rate in ((LIMIT, STREAMS), *((name, SLOW_STREAMS) for name in PEERS)):
        theirs = measured(peer, rate)
        conditions = _conditions() | {"streams_a_second": rate, "events": EVENTS}
        first, cost = "stream_first_token_added_p50", "stream_cpu_of_an_event"
        yield field.beside(
            peer,
            f"model_door/{first}_beside_{peer}",
            (ours[rate]["first_p50"] - base[rate], theirs["first_p50"] - base[rate] if theirs else None),
            unit="ms",
            target=at_most(1) if peer == LIMIT else None,
            conditions=conditions,
        )
        yield field.beside(
            peer,
            f"model_door/{cost}_beside_{peer}",
            (ours[rate]["cpu"] / EVENTS, theirs["cpu"] / EVENTS if theirs else None),
            unit="µs",
            target=at_most(40) if peer == LIMIT else None,
            conditions=conditions,
        )


def _memory(field: Field) -> Result:
    """What an open stream, of which text comes once a second, keeps in the gateway's memory."""
    ours, theirs = (
        field.measured(name, f"{OPEN_STREAMS} open streams", _held).get("kilobytes") for name in (OURS, LIMIT)
    )
    return field.beside(
        LIMIT,
        f"model_door/stream_memory_of_an_open_one_beside_{LIMIT}",
        (ours or 0.0, theirs),
        unit="KB",
        target=at_most(20),
        conditions=_conditions() | {"open_streams": OPEN_STREAMS},
    )


def _held(side: Side) -> Figures:
    body = _body(4, stream=True, **SLOW)
    with side.alone():
        before = side.server.memory_kilobytes()
        with ExitStack() as stack:
            streams = []
            for index in range(OPEN_STREAMS):
                stream = socket.create_connection(("127.0.0.1", side.server.port), timeout=30)
                streams.append(stack.enter_context(stream))
                stream.sendall(side.request(body, index))
            for stream in streams:
                if not stream.recv(4096).startswith(b"HTTP/1.1 200"):
                    raise RuntimeError("a stream was refused")
            time.sleep(1)  # the next event: whatever a stream needs, it has by now
            grown = side.server.memory_kilobytes() - before
        time.sleep(1)  # clients that leave are work, too
    return {"kilobytes": grown / OPEN_STREAMS}


def _conditions() -> dict[str, object]:
    return {
        "cores": "one for the gateway alone, the other for the load and the upstream",
        "recorded": "ours: each call, durable before it goes out; the others: nothing",
        "policies": f"ours: {POLICIES}",
    }


def _load(peer: str) -> str:
    if peer == LIMIT:
        return f"{generator_name()}, {ROUNDS} rounds of {SECONDS} s"
    return f"own client, which waits for every answer, {SLOW_ROUNDS} round of {SLOW_SECONDS} s"


def _body(kilobytes: int, **more: Any) -> str:
    """A conversation: most of it is there before, the last message is another in every request."""
    asked = "Request @@@@@@@@: settle the refund of the customer above. " + "Mind the limits. " * 20

    def text(filler: str) -> str:
        messages = [{"role": "system", "content": filler}, {"role": "user", "content": asked}]
        return json.dumps({"model": MODEL, "max_tokens": 200, **more, "messages": messages})

    words = "You settle refunds for a shop, by the book. "
    missing = kilobytes * 1024 - len(text(""))
    return text((words * (missing // len(words) + 1))[:missing])
