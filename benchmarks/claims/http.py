"""The HTTP door: POST /v1/actions on a real server, every answer after a durable write."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness import (
    Bench,
    Load,
    Result,
    Server,
    at_least,
    at_most,
    generator_name,
    median_of,
    refunds,
)
from benchmarks.harness.ours import agent_key, start_runs

CONNECTIONS = (1, 16, 64)
ROUNDS = 5
SECONDS = 5
WARM_UP_SECONDS = 2
COUNT = 100
PATH = "/v1/actions"
UNITS = {"rate": "req/s", "p50": "ms", "p99": "ms"}
TARGETS = {(64, "rate"): at_least(3_000), (64, "p99"): at_most(25)}


def measure(bench: Bench) -> Iterator[Result]:
    with bench.store() as directory:
        key = agent_key(Path(directory, "store"))
        policies = {"CLEARANCE_POLICIES": refunds.write_ours(COUNT, directory)}
        serve = ["-m", "clearance", "--store", f"{directory}/store", "serve"]
        app = ["-m", "uvicorn", "benchmarks.claims.http:peer_app", "--factory", "--no-access-log"]
        with (
            bench.server(Path(sys.executable), serve, policies) as ours,
            bench.server(bench.peer_python, [*app, "--log-level", "warning"]) as peer,
        ):
            authorization = f"Bearer {key}"
            runs = start_runs(ours, key, max(CONNECTIONS))
            for connections in CONNECTIONS:
                bench.say(f"{connections} connections, {ROUNDS} rounds of {SECONDS} s a side")
                yield from _compare(bench, ours, peer, connections, runs, authorization, directory)


def _compare(
    bench: Bench,
    ours: Server,
    peer: Server,
    connections: int,
    runs: list[str],
    authorization: str,
    directory: str,
) -> Iterator[Result]:
    def load(seconds: int) -> Load:
        bodies = tuple(_body(index, run) for index, run in enumerate(runs))
        return Load(PATH, bodies, connections, seconds, (("Authorization", authorization),))

    measured: dict[Server, list[dict[str, float]]] = {ours: [], peer: []}
    for server in measured:
        server.measure(load(WARM_UP_SECONDS), directory)
    for index in range(ROUNDS):
        for server in (ours, peer) if index % 2 == 0 else (peer, ours):
            measured[server].append(server.measure(load(SECONDS), directory))
    for part, unit in UNITS.items():
        yield Result(
            claim=f"http/{connections}_connections_{part}",
            ours=median_of(measured[ours], part),
            peer=median_of(measured[peer], part),
            peer_name=f"{bench.peer_name('agent-governance-toolkit')} behind {bench.peer_name('fastapi')}",
            unit=unit,
            higher_is_better=part == "rate",
            target=TARGETS.get((connections, part)),
            conditions={
                "rounds": ROUNDS,
                "seconds_per_round": SECONDS,
                "policies": COUNT,
                "load": generator_name(),
                "durability": "ours: an fsync before every answer; peer: audit in memory only",
            },
        )


def _body(index: int, run: str) -> str:
    call = {
        "action": refunds.TOOL,
        "operation": "update",
        "arguments": refunds.arguments(index),
        "run_id": run,
    }
    return json.dumps(call)


def peer_app() -> Any:
    """The toolkit behind FastAPI, without a hop to a thread: its check never waits for anything."""
    from fastapi import FastAPI

    refund = refunds.governed_function(COUNT)
    app = FastAPI()

    @app.post(PATH)  # type: ignore[untyped-decorator]
    async def check(call: dict[str, Any]) -> dict[str, str]:
        refund(action=call["action"], **call["arguments"])
        return {"effect": "allow"}

    return app
