"""Times calls within one process. Says nothing about which process, nor about what is good."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

Work = Callable[[int], object]  # told which call of its round it is, from 0


def latencies(work: Work, calls: int) -> dict[str, float]:
    """`p50` and `p99` of one call, in microseconds, over sequential calls."""
    return percentiles([_nanoseconds(work, index) for index in range(calls)])


def samples(work: Work, calls: int) -> list[float]:
    """Microseconds of each sequential call, in order."""
    return [_nanoseconds(work, index) / 1_000 for index in range(calls)]


def percentiles(nanoseconds: Sequence[int]) -> dict[str, float]:
    """`p50` and `p99`, in microseconds."""
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    return {name: ordered[round(last * part)] / 1_000 for name, part in (("p50", 0.5), ("p99", 0.99))}


def throughput(batch: Work, calls: int, threads: int) -> float:
    """Calls a second of `threads` threads that each run `batch(calls)` once, from the first to the last."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(threads + 1)

    def run() -> None:
        barrier.wait()
        try:
            batch(calls)
        except BaseException as error:  # told to the caller below: a thread's own failure is silent
            failures.append(error)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    return calls * threads / (time.perf_counter() - start)


def median_of(rounds: Iterable[Mapping[str, float]], name: str) -> float:
    """The middle round's value."""
    return statistics.median(measured[name] for measured in rounds)


def _nanoseconds(work: Work, index: int) -> int:
    start = time.perf_counter_ns()
    work(index)
    return time.perf_counter_ns() - start
