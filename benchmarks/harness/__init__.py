"""What claims are made of. Standard library only: the peers' interpreter imports it too."""

from benchmarks.harness import refunds
from benchmarks.harness.bench import Bench
from benchmarks.harness.contender import Contender
from benchmarks.harness.result import Result, at_least, at_most, beats_peer
from benchmarks.harness.server import Load, Server, generator_name
from benchmarks.harness.timing import latencies, median_of, samples, throughput

__all__ = [
    "Bench",
    "Contender",
    "Load",
    "Result",
    "Server",
    "at_least",
    "at_most",
    "beats_peer",
    "generator_name",
    "latencies",
    "median_of",
    "refunds",
    "samples",
    "throughput",
]
