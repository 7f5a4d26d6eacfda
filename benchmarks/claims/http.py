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
        key = _agent_key(Path(directory, "store"))
        policies = {"CLEARANCE_POLICIES": refunds.write_ours(COUNT, directory)}
        serve = ["-m", "clearance", "--store", f"{directory}/store", "serve"]
        app = ["-m", "uvicorn", "benchmarks.claims.http:peer_app", "--factory", "--no-access-log"]
        with (
            bench.server(Path(sys.executable), serve, policies) as ours,
            bench.server(bench.peer_python, [*app, "--log-level", "warning"]) as peer,
        ):
            authorization = f"Bearer {key}"
            runs = _start_runs(ours, authorization)
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


def _start_runs(server: Server, authorization: str) -> list[str]:
    """One run for each connection, as each agent would have."""
    import httpx

    with httpx.Client(base_url=server.url, headers={"Authorization": authorization}) as client:
        answers = [client.post("/v1/runs", json={"goal": "settle refunds"}) for _ in range(max(CONNECTIONS))]
    return [answer.raise_for_status().json()["run_id"] for answer in answers]


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
