"""A whole guarded call in process: decided, recorded (ours on disk, fsynced), run, its outcome recorded."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

from benchmarks.harness import Bench, Result, beats_peer, latencies, median_of, refunds, throughput

COUNTS = (1, 100, 1_000)
ROUNDS = 5
CALLS = {1: 1_000, 100: 1_000, 1_000: 200}
THREADS = 16
CALLS_PER_THREAD = 200
THREADED_COUNT = 100
DURABILITY = "ours: SQLite, synchronous=FULL, one fsync before the function runs; peer: audit in memory only"


def ours(directory: str, count: int, threads: int, store: str = "store") -> Iterator[dict[str, float]]:
    """A `@guard`ed function in a `client.run`; each thread has its own run."""
    with refunds.guarded(directory, count, store=store) as (client, refund):

        def batch(calls: int) -> None:
            with client.run(goal="settle refunds"):
                for index in range(calls):
                    refund(index)

        while threads:
            yield {"rate": throughput(batch, CALLS_PER_THREAD, threads)}
        with client.run(goal="settle refunds"):
            while True:
                yield latencies(refund, CALLS[count])


def ours_in_memory(directory: str, count: int, threads: int) -> Iterator[dict[str, float]]:
    """The same without the disk, as the peer works."""
    return ours(directory, count, threads, store="memory")


def peer(count: int, threads: int) -> Iterator[dict[str, float]]:
    """A `govern`ed function. Its audit trail is not safe between threads, so they take turns with it."""
    refund = refunds.governed(count)
    turn = Lock()

    def batch(calls: int) -> None:
        for index in range(calls):
            with turn:
                refund(index)

    while threads:
        yield {"rate": throughput(batch, CALLS_PER_THREAD, threads)}
    while True:
        yield latencies(refund, CALLS[count])


def measure(bench: Bench) -> Iterator[Result]:
    for count in COUNTS:
        yield from _latency(bench, "ours", count, DURABILITY)
    yield from _latency(bench, "ours_in_memory", THREADED_COUNT, "none, both sides", label="_in_memory")
    yield _rate(bench)


def _latency(bench: Bench, side: str, count: int, durability: str, *, label: str = "") -> Iterator[Result]:
    bench.say(f"{count:,} policies{label.replace('_', ' ')}, {ROUNDS} rounds a side")
    mine, theirs = bench.compare(side, "peer", rounds=ROUNDS, count=count, threads=0)
    for part in ("p50", "p99"):
        yield Result(
            claim=f"mediation/{count}_policies{label}_{part}",
            ours=median_of(mine, part),
            peer=median_of(theirs, part),
            peer_name=bench.peer_name("agent-governance-toolkit"),
            unit="µs",
            target=beats_peer() if (count, part) == (100, "p50") else None,
            conditions={"rounds": ROUNDS, "calls_per_round": CALLS[count], "durability": durability},
        )


def _rate(bench: Bench) -> Result:
    bench.say(f"{THREADED_COUNT} policies, {THREADS} threads, {ROUNDS} rounds a side")
    mine, theirs = bench.compare("ours", "peer", rounds=ROUNDS, count=THREADED_COUNT, threads=THREADS)
    calls = CALLS_PER_THREAD * THREADS
    return Result(
        claim=f"mediation/{THREADED_COUNT}_policies_{THREADS}_threads",
        ours=median_of(mine, "rate"),
        peer=median_of(theirs, "rate"),
        peer_name=bench.peer_name("agent-governance-toolkit"),
        unit="calls/s",
        higher_is_better=True,
        conditions={"rounds": ROUNDS, "calls_per_round": calls, "durability": DURABILITY},
    )
