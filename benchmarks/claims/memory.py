"""What one process grows by while it mediates a million calls on disk. BENCH_CALLS shortens it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

from benchmarks.harness import Bench, Contender, Result, at_most, refunds, throughput

CALLS = max(int(os.environ.get("BENCH_CALLS", "1000000")), 1_000)
STEP = CALLS // 10  # calls between two looks; at a million, the first look is at 100,000
PEER_CALLS = min(100_000, STEP)
COUNT = 100
THREADS = 16
RUN = 100  # calls of one agent's task


def ours(directory: str) -> Iterator[dict[str, float]]:
    """STEP calls a round, on disk, from threads that work through runs of RUN calls each."""
    with refunds.guarded(directory, COUNT) as (client, refund):

        def batch(calls: int) -> None:
            for start in range(0, calls, RUN):
                with client.run(goal="settle refunds"):
                    for index in range(start, min(start + RUN, calls)):
                        refund(index)

        yield {}
        while True:
            yield {"rate": throughput(batch, -(-STEP // THREADS), THREADS)}


def peer() -> Iterator[dict[str, float]]:
    """PEER_CALLS calls in its round; its audit trail is in memory."""
    refund = refunds.governed(COUNT)
    yield {}
    for index in range(PEER_CALLS):
        refund(index)
    yield {}


def measure(bench: Bench) -> Iterator[Result]:
    bench.say(f"{PEER_CALLS:,} calls of the peer")
    with bench.peer("peer") as contender:
        theirs = [_resident_mb(contender) for _ in range(2)]
    with bench.store() as directory, bench.ours("ours", directory=directory) as contender:
        mine = [_resident_mb(contender)]
        for done in range(STEP, CALLS + 1, STEP):
            mine.append(_resident_mb(contender))
            bench.say(f"{done:,} calls, {mine[-1]:.1f} MB resident")
    conditions = {
        "calls": CALLS,
        "peer_calls": PEER_CALLS,
        "threads": f"ours {THREADS}, peer 1",
        "policies": COUNT,
        "durability": "ours: SQLite, synchronous=FULL; peer: audit in memory only",
        "resident_mb": {
            "start": mine[0],
            f"{STEP}": mine[1],
            f"{STEP * 5}": mine[5],
            f"{STEP * 10}": mine[10],
        },
    }
    grown = theirs[1] - theirs[0]
    name = bench.peer_name("agent-governance-toolkit")
    first = Result(
        claim=f"memory/first_{STEP}_calls",
        ours=mine[1] - mine[0],
        peer=grown,
        peer_name=name,
        unit="MB",
        conditions=conditions,
    )
    yield first
    yield Result(
        claim=f"memory/next_{CALLS - STEP}_calls",
        ours=mine[-1] - mine[1],
        peer=grown,
        peer_name=name,
        unit="MB",
        target=at_most(30),
        conditions=conditions,
    )


def _resident_mb(contender: Contender) -> float:
    """After one more round."""
    contender.round()
    shown = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(contender.pid)], check=True, capture_output=True, text=True
    )
    return int(shown.stdout) / 1_024
