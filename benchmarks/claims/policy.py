"""Bare policy evaluation: one request against 1, 100 and 1,000 rules, nothing recorded on either side."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.harness import Bench, Result, beats_peer, latencies, median_of, refunds

COUNTS = (1, 100, 1_000)
ROUNDS = 5
CALLS = {1: 5_000, 100: 1_000, 1_000: 200}


def ours(directory: str, count: int) -> Iterator[dict[str, float]]:
    """`PolicySet.evaluate` on a request that is normalized already."""
    from datetime import UTC, datetime
    from pathlib import Path

    from clearance.core.model import Action, Context, Operation, Principal, Request, Resource
    from clearance.core.policy import History, compile_policies, parse_yaml

    path = refunds.write_ours(count, directory)
    policies = compile_policies([parse_yaml(Path(path).read_text(), path)])
    history = History(policies)
    context = Context(run_id="run", action_id="act", at=datetime.now(UTC))
    requests = [
        Request(
            principal=Principal(agent="bench"),
            action=Action(tool=refunds.TOOL, operation=Operation.UPDATE, arguments=refunds.arguments(index)),
            resources=(Resource(kind="tool", name=refunds.TOOL),),
            context=context,
        )
        for index in range(50)
    ]

    def evaluate(index: int) -> None:
        assert not policies.evaluate(requests[index % 50], history)

    while True:
        yield latencies(evaluate, CALLS[count])


def peer(count: int) -> Iterator[dict[str, float]]:
    """`PolicyEngine.evaluate` on a context that `govern` would have built."""
    from agentmesh.governance import PolicyEngine

    engine = PolicyEngine(conflict_strategy="deny_overrides")
    engine.load_yaml(refunds.for_agt(count)).agents = ["*"]

    def evaluate(index: int) -> None:
        values = {name: {"value": value} for name, value in refunds.arguments(index).items()}
        assert engine.evaluate("*", {"action": {"type": refunds.TOOL}, **values}).allowed

    while True:
        yield latencies(evaluate, CALLS[count])


def measure(bench: Bench) -> Iterator[Result]:
    for count in COUNTS:
        bench.say(f"{count:,} rules, {ROUNDS} rounds a side")
        mine, theirs = bench.compare("ours", "peer", rounds=ROUNDS, count=count)
        yield Result(
            claim=f"policy/{count}_rules_p50",
            ours=median_of(mine, "p50"),
            peer=median_of(theirs, "p50"),
            peer_name=bench.peer_name("agent-governance-toolkit"),
            unit="µs",
            target=beats_peer() if count == 100 else None,
            conditions={"rounds": ROUNDS, "calls_per_round": CALLS[count], "durability": "none, both sides"},
        )
