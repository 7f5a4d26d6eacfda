"""Many agents and many grants: what one check costs with them, over what it costs with ten."""

from __future__ import annotations

import sqlite3
import statistics
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.harness import Bench, Result, at_most, samples

FEW = 10
MANY_AGENTS, MANY_GRANTS = 10_000, 100_000
ROUNDS = 18
CALLS = 50  # of each kind; the grant that is used allows 1,000
ALLOWED, GRANTED = "read_ticket", "refund"
DURABLE = "SQLite, synchronous=FULL, one fsync before the function runs; with a grant two"
POLICY = {"name": "refunds_need_a_yes", "rule": "require_approval", "condition": {"tool": GRANTED}}


class Shop:
    """A control point on disk, with so many agents and so many grants in its store."""

    def __init__(self, directory: str, *, agents: int, grants: int) -> None:
        from clearance import Client
        from clearance.core.model import Person, Role
        from clearance.wiring import utc_now

        self.client = Client(directory, agent="agent-0")
        self.client.policies.create(POLICY)
        self._assembly: Any = self.client.backend.assembly  # type: ignore[attr-defined]
        _fill(self._assembly.state, Path(directory), agents=agents, grants=grants)
        self._run = self.client.run(goal="answer tickets").__enter__()
        maker = Person(name="local:bench", created_at=utc_now(), roles=(Role.ADMIN,))
        self._assembly.grants.make(maker, agent="agent-0", tool=GRANTED, most_uses=1_000)

    def read(self, _: int) -> None:
        assert self._run.check(ALLOWED, operation="read").allowed

    def refund(self, _: int) -> None:
        assert self._run.check(GRANTED, operation="update", environment="sandbox").allowed


def _fill(state: Any, directory: Path, *, agents: int, grants: int) -> None:
    """Agents through the store; grants, as it writes them, in one transaction: each alone costs an fsync."""
    from clearance.adapters.store.sqlite.state.grants import insert_grant
    from clearance.core.model import Agent, Grant
    from clearance.wiring import utc_now

    at = utc_now()
    for number in range(1, agents):
        state.agents.add_agent(Agent(name=f"agent-{number}", created_at=at, roles=("support",)))
    with sqlite3.connect(directory / "state.db") as connection:
        for number in range(grants):
            insert_grant(
                connection,
                Grant(
                    grant_id=f"grant_{number}",
                    agent=f"agent-{1 + number % MANY_AGENTS}",
                    tool=GRANTED,
                    by="person:ann",
                    created_at=at,
                    expires_at=at + timedelta(hours=8),
                ),
            )
    connection.close()


def measure(bench: Bench) -> Iterator[Result]:
    bench.say(f"filling two stores: {FEW}, and {MANY_AGENTS:,} agents with {MANY_GRANTS:,} grants")
    with bench.store() as small, bench.store() as large:
        few = Shop(small, agents=FEW, grants=FEW)
        many = Shop(large, agents=MANY_AGENTS, grants=MANY_GRANTS)
        try:
            bench.say(f"{ROUNDS} rounds of {CALLS} checks on each, in turns")
            measured = [_round(few, many) for _ in range(ROUNDS)]
        finally:
            few.client.close()
            many.client.close()
    for index, what in enumerate(("check", "check_with_a_grant")):
        less = statistics.median([value for one in measured for value in one[index][0]])
        more = statistics.median([value for one in measured for value in one[index][1]])
        yield Result(
            claim=f"scale/{what}_with_many_over_few",
            ours=more / less,
            unit="times",
            target=at_most(1.2),
            conditions={
                "agents": f"{MANY_AGENTS} over {FEW}",
                "grants": f"{MANY_GRANTS} over {FEW}",
                "rounds": ROUNDS,
                "calls_per_round": CALLS,
                "durability": DURABLE,
                "p50_us": {"few": round(less, 1), "many": round(more, 1)},
            },
        )


def _round(few: Shop, many: Shop) -> list[tuple[list[float], list[float]]]:
    return [
        (samples(few.read, CALLS), samples(many.read, CALLS)),
        (samples(few.refund, CALLS), samples(many.refund, CALLS)),
    ]
