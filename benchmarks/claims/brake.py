"""The brake: how soon a stop at one server holds at another; what asking costs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Bench, Result, Server, at_most, latencies, median_of

PULLS = 40
ROUNDS = 3
CALLS = 20_000
FEW, MANY = 10, 10_000
AGENT = "bench"


def measure(bench: Bench) -> Iterator[Result]:
    bench.say(f"{PULLS} stops and resumes, two servers on one store")
    with bench.store() as directory:
        agent, operator = _keys(Path(directory, "store"))
        serve = ["-m", "clearance", "--store", f"{directory}/store", "serve"]
        with (
            bench.server(Path(sys.executable), serve) as one,
            bench.server(Path(sys.executable), serve) as two,
        ):
            told, ended = _across(one, two, agent, operator)
    for name, values in (("refused_at_other_server", told), ("async_action_cancelled", ended)):
        yield Result(
            claim=f"brake/{name}_worst",
            ours=max(values),
            unit="ms",
            target=at_most(1_000),
            conditions={"stops": len(values), "p50_ms": round(sorted(values)[len(values) // 2], 1)},
        )
    bench.say(f"the check, with {FEW:,} and with {MANY:,} agents stopped")
    few, many = _check(bench, FEW), _check(bench, MANY)
    yield Result(
        claim=f"brake/check_with_{FEW}_stops",
        ours=few,
        unit="µs",
        conditions={"calls_per_round": CALLS, "rounds": ROUNDS, "agents_registered": FEW},
    )
    yield Result(
        claim=f"brake/check_with_{MANY}_stops",
        ours=many,
        unit="µs",
        target=at_most(few * 1.2),
        conditions={"calls_per_round": CALLS, "rounds": ROUNDS, "agents_registered": MANY},
    )


def _keys(store: Path) -> tuple[str, str]:
    """An agent's key and an operator's token, made in the store before a server opens it."""
    from clearance.adapters.identity import new_key
    from clearance.adapters.store import SqliteState
    from clearance.core.model import Agent, CredentialKind, Person, PersonSource, Role
    from clearance.wiring import utc_now

    state, at = SqliteState(store), utc_now()
    state.agents.add_agent(Agent(name=AGENT, created_at=at))
    state.people.add_person(
        Person(name="ops", created_at=at, roles=(Role.OPERATOR,), source=PersonSource.SERVICE)
    )
    agent, agent_key = new_key(AGENT, at=at)
    operator, token = new_key("ops", kind=CredentialKind.SERVICE_TOKEN, at=at)
    state.credentials.add_credential(agent_key)
    state.credentials.add_credential(token)
    state.close()
    return agent, operator


def _across(one: Server, two: Server, agent: str, operator: str) -> tuple[list[float], list[float]]:
    """Milliseconds from asking one server for a stop to a refusal, and to a cancellation, at the other."""
    import httpx

    told: list[float] = []
    call = {"action": "read", "resource": "sandbox.x"}
    with (
        httpx.Client(base_url=one.url, headers={"Authorization": f"Bearer {operator}"}) as ops,
        httpx.Client(base_url=two.url, headers={"Authorization": f"Bearer {agent}"}) as there,
    ):
        for _ in range(PULLS):
            began = time.perf_counter()
            ops.put(f"/v1/brake/agent/{AGENT}", json={"reason": "measured"}).raise_for_status()
            while there.post("/v1/actions", json=call).raise_for_status().json()["effect"] == "allow":
                pass
            told.append((time.perf_counter() - began) * 1_000)
            ops.delete(f"/v1/brake/agent/{AGENT}").raise_for_status()
        ended = [_cancelled(two, agent, ops) for _ in range(10)]
    return told, ended


def _cancelled(server: Server, key: str, ops: object) -> float:
    import asyncio

    from clearance import Client, PolicyViolationError, guard

    async def scenario() -> float:
        began = asyncio.Event()
        async with Client(url=server.url, api_key=key) as client:

            @guard(client=client)
            async def crawl() -> None:
                began.set()
                await asyncio.sleep(30)

            task = asyncio.create_task(crawl())
            await began.wait()
            await asyncio.sleep(0.5)
            pulled = time.perf_counter()
            await asyncio.to_thread(ops.put, f"/v1/brake/agent/{AGENT}", json={"reason": "measured"})  # type: ignore[attr-defined]
            try:
                await task
            except PolicyViolationError:
                return (time.perf_counter() - pulled) * 1_000
            raise AssertionError("the action was not stopped")

    took = asyncio.run(scenario())
    ops.delete(f"/v1/brake/agent/{AGENT}").raise_for_status()  # type: ignore[attr-defined]
    return took


def _check(bench: Bench, many: int) -> float:
    """The p50 of asking for the posture and whether it stops somebody, on SQLite."""
    from clearance.adapters.store import SqliteJournal, SqliteState
    from clearance.core.model import Agent, Principal, Stop, StopKind, StopLevel
    from clearance.core.policy.posture import stopping
    from clearance.runtime.audit import Audit
    from clearance.runtime.brake import Brake
    from clearance.runtime.names import new_id
    from clearance.wiring import utc_now

    at = utc_now()
    with bench.store() as directory:
        journal, state = SqliteJournal(directory), SqliteState(directory)
        try:
            for number in range(many):
                name = f"agent-{number}"
                state.agents.add_agent(Agent(name=name, created_at=at))
                state.brakes.set_stop(
                    Stop(
                        kind=StopKind.AGENT, name=name, level=StopLevel.PAUSED, reason="odd", by="ops", at=at
                    )
                )
            brake = Brake(state.brakes, Audit(journal, utc_now), clock=utc_now, new_id=new_id)
            free = Principal(agent="free", team="red")
            brake.posture()

            def ask(_: int) -> object:
                return stopping(free, "send_email", brake.posture(), at=at)

            return median_of([latencies(ask, CALLS) for _ in range(ROUNDS)], "p50")
        finally:
            journal.close()
            state.close()
