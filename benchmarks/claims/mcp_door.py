"""The MCP door: a call over streamable HTTP through it, beside the direct way and proxies of others."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.harness import Bench, Result, at_least, at_most
from benchmarks.harness import gateways as known
from benchmarks.harness.mcp_upstream import REVISION, TOOL
from benchmarks.harness.ours import POLICIES, agent_key
from benchmarks.harness.result import Target, at_least_times
from benchmarks.harness.server import generator_name
from benchmarks.harness.side import DIRECT, OURS, Field, Figures

CONNECTIONS = (1, 32, 64)
ROUNDS, SECONDS = 3, 2
SLOW_ROUNDS, SLOW_SECONDS = 1, 4
SDK, CONNECTED, DEFAULT = "mcp sdk", "fastmcp connected", "fastmcp default"
PEERS = (SDK, CONNECTED, DEFAULT)
PACES = {DIRECT: 500, SDK: 60, CONNECTED: 40, DEFAULT: 5}  # calls a second: what each peer keeps up with
PACED_SECONDS = 3
UNITS = {"rate": "calls/s", "p50": "ms", "p99": "ms", "cpu": "µs"}  # cpu: of the gateway, for one call
TARGETS: dict[tuple[str, int, str], Target] = {
    (DIRECT, 32, "rate"): at_least(4_000),
    (SDK, 32, "rate"): at_least_times(9),
    (CONNECTED, 32, "rate"): at_least_times(19),
}


def measure(bench: Bench) -> Iterator[Result]:
    with bench.store() as directory, ExitStack() as stack:
        here = Path(directory)
        stack.enter_context(bench.aside())
        serve = ["-m", "benchmarks.harness.mcp_upstream"]
        upstream = stack.enter_context(bench.server(Path(sys.executable), serve))
        field = Field(bench, stack, here)
        key, body = agent_key(here / "store"), _body()
        field.add_upstream(known.mcp_direct(), upstream)
        field.start(OURS, lambda: known.mcp_clearance(here, upstream.port, key), body=body, key=key)
        field.start(SDK, lambda: known.mcp_sdk(upstream.port), body=body)
        field.start(CONNECTED, lambda: known.fastmcp(upstream.port, "connected"), body=body)
        field.start(DEFAULT, lambda: known.fastmcp(upstream.port, "default"), body=body)
        for connections in CONNECTIONS:
            yield from _throughput(field, connections)
        yield from _added(field)


def _throughput(field: Field, connections: int) -> Iterator[Result]:
    def measured(name: str, rounds: int, seconds: int) -> Figures:
        return field.measured(
            name,
            f"{connections} connections",
            lambda side: side.rounds(_body(), connections, rounds=rounds, seconds=seconds),
        )

    figures = {name: measured(name, ROUNDS, SECONDS) for name in (OURS, DIRECT)}
    figures |= {name: measured(name, SLOW_ROUNDS, SLOW_SECONDS) for name in PEERS}
    for peer in (DIRECT, *PEERS):
        for part in UNITS if connections == 32 else ("rate", "p50", "p99"):
            yield field.beside(
                peer,
                f"mcp_door/{connections}_connections_{part}_beside_{peer.replace(' ', '_')}",
                (figures[OURS][part], figures[peer].get(part)),
                unit=UNITS[part],
                target=TARGETS.get((peer, connections, part)),
                conditions=_conditions() | {"load": _load(peer)},
            )


def _added(field: Field) -> Iterator[Result]:
    """What a gateway adds to the median of calls that come at a steady pace."""

    def p50(name: str, rate: int) -> float | None:
        figures = field.measured(
            name, f"{rate} calls a second", lambda side: side.paced(_body(), rate=rate, seconds=PACED_SECONDS)
        )
        return figures.get("whole_p50")

    for peer, rate in PACES.items():
        base = p50(DIRECT, rate) or 0.0
        ours, theirs = (p50(OURS, rate) or 0.0), None if peer == DIRECT else p50(peer, rate)
        yield field.beside(
            peer,
            f"mcp_door/added_p50_at_{rate}_a_second_beside_{peer.replace(' ', '_')}",
            (ours - base, None if theirs is None else theirs - base),
            unit="ms",
            target=at_most(1) if peer == DIRECT else None,
            conditions=_conditions() | {"direct_p50_ms": round(base, 3)},
        )


def _conditions() -> dict[str, object]:
    return {
        "cores": "one for the gateway alone, the other for the load and the server",
        "revision": REVISION,
        "recorded": "ours: each call, durable before it goes out; the others: nothing",
        "policies": f"ours: {POLICIES}",
    }


def _load(peer: str) -> str:
    if peer == DIRECT:
        return f"{generator_name()}, {ROUNDS} rounds of {SECONDS} s"
    return f"own client, which waits for every answer, {SLOW_ROUNDS} round of {SLOW_SECONDS} s"


def _body() -> str:
    """A call with other arguments each time."""
    meta = {
        "protocolVersion": REVISION,
        "clientCapabilities": {},
        "clientInfo": {"name": "b", "version": "1"},
    }
    params = {
        "name": TOOL,
        "arguments": {"order": "o-@@@@@@@@", "note": "Is it on its way? " * 10},
        "_meta": {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()},
    }
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
