"""Rules over a run's past at step 10 and at step 10,000: what one decision costs there."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Bench, Result, at_most, samples

if TYPE_CHECKING:
    from clearance.sdk import Run

SHORT = (10, 40, 80, 100, 160)  # reached anew in every round
LONG = (1_000, 10_000)  # reached once; each round goes on from there
ROUNDS = 20
CALLS = 10  # decisions timed at each step in each round
PEER_LIMIT_SECONDS = 20.0
DURABLE = "SQLite, synchronous=FULL, one fsync before the function runs"
ARGUMENTS = {"to": "a@example.com", "text": "hello"}
TOOLS = ("search_notes", "send_email")  # in turns; nothing untrusted is read, so nothing is blocked

POLICIES: dict[str, Any] = {
    "version": 1,
    "policies": [
        {
            "name": "no_mail_after_untrusted_content",
            "rule": "block",
            "condition": {"tool": "send_email", "after": {"match": {"tool": "read_inbox"}}},
        },
        {
            "name": "mail_volume",
            "rule": "block",
            "condition": {
                "tool": "send_email",
                "count_within": {"match": {"tool": "send_email"}, "seconds": 86_400, "exceeds": 10_000},
            },
        },
    ],
}
RULE = """
raise "mail after untrusted content" if:
    (call: ToolCall) -> (call2: ToolCall)
    call is tool:read_inbox
    call2 is tool:send_email
"""


def ours(directory: str) -> Iterator[dict[str, list[float]]]:
    """A decision through the control point, its store in memory."""

    def decide(run: Run, tool: str) -> None:
        assert run.check(tool, arguments=ARGUMENTS).allowed

    return _steps(directory, "memory", decide)


def whole_calls(directory: str) -> Iterator[dict[str, list[float]]]:
    """A guarded call on disk: decided, recorded, run, its outcome recorded."""

    def perform(run: Run, tool: str) -> None:
        run.call(tool, lambda **_: "done", ARGUMENTS)

    return _steps(directory, f"{directory}/store", perform)


def _steps(directory: str, store: str, act: Callable[[Run, str], None]) -> Iterator[dict[str, list[float]]]:
    """Microseconds of CALLS acts around each short step and after each long one."""
    from clearance import Client

    policies = Path(directory, "flow.yaml")
    policies.write_text(json.dumps(POLICIES), encoding="utf-8")
    with Client(store, agent="bench", policies=policies) as client:

        def go_on(run: Run, calls: int) -> list[float]:
            return samples(lambda index: act(run, TOOLS[index % 2]), calls)

        def at(step: int) -> list[float]:
            with client.run(goal="answer mail") as run:
                return go_on(run, step + CALLS // 2)[-CALLS:]

        long_runs = {step: client.run(goal="answer mail").__enter__() for step in LONG}
        for step, run in long_runs.items():
            go_on(run, step)
        while True:
            fresh = {str(step): at(step) for step in SHORT}
            yield fresh | {str(step): go_on(run, CALLS) for step, run in long_runs.items()}


def peer() -> Iterator[dict[str, float]]:
    """The same steps as a pending call after the same past: the cheaper of its two ways to ask."""
    # Its own limit on the evaluations of one analysis would end with an error after step 10.
    os.environ["INVARIANT_MAX_ITERATIONS"] = str(10**9)
    from invariant.analyzer import LocalPolicy

    policy = LocalPolicy.from_string(RULE)

    def events(index: int) -> list[dict[str, Any]]:
        function = {"name": TOOLS[index % 2], "arguments": ARGUMENTS}
        call = {"id": str(index), "type": "function", "function": function}
        return [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": str(index), "content": "done"},
        ]

    def decide(step: int) -> float:
        past = [event for index in range(step - 1) for event in events(index)]
        start = time.perf_counter()
        assert not policy.analyze_pending(past, events(step - 1)[:1]).errors
        return time.perf_counter() - start

    decide(1)  # parses its standard library
    while True:
        costs: dict[str, float] = {}
        for step in SHORT:
            seconds = decide(step)
            costs[str(step)] = seconds * 1_000_000
            if seconds > PEER_LIMIT_SECONDS:
                break
        yield costs


def measure(bench: Bench) -> Iterator[Result]:
    bench.say(f"decisions, {ROUNDS} rounds a side")
    mine, theirs = bench.compare("ours", "peer", rounds=ROUNDS)
    bench.say(f"whole calls on disk, {ROUNDS} rounds of ours")
    with bench.store() as directory, bench.ours("whole_calls", directory=directory) as contender:
        durable = [contender.round() for _ in range(ROUNDS)]
    decision, whole, analysis = _p50_by_step(mine), _p50_by_step(durable), _p50_by_step(theirs)
    name = bench.peer_name("invariant-ai")
    for step, cost in decision.items():
        yield Result(
            claim=f"flow/decision_at_step_{step}",
            ours=cost,
            peer=analysis.get(step),
            peer_name=name if step in analysis else "",
            unit="µs",
            conditions={
                "rounds": ROUNDS,
                "decisions_per_round": f"ours {CALLS}, peer 1",
                "durability": "none, both sides",
            },
        )
    first, last, farthest = SHORT[0], LONG[-1], max(analysis)
    for what, costs, durability in (("decision", decision, "none"), ("whole_call", whole, DURABLE)):
        yield Result(
            claim=f"flow/{what}_step_{last}_over_step_{first}",
            ours=costs[last] / costs[first],
            peer=analysis[farthest] / analysis[first],
            peer_name=name,
            unit="times",
            target=at_most(1.3),
            conditions={
                "rounds": ROUNDS,
                "durability": f"ours: {durability}; peer: none",
                "peer_at": f"step {farthest} over step {first}, deciding only",
                "ours_p50_us": {str(step): round(cost, 1) for step, cost in costs.items()},
            },
        )


def _p50_by_step(rounds: list[dict[str, Any]]) -> dict[int, float]:
    """Each round gives one sample or a list of them for each step."""
    costs: dict[int, list[float]] = {}
    for one in rounds:
        for step, measured in one.items():
            costs.setdefault(int(step), []).extend(measured if isinstance(measured, list) else [measured])
    return {step: statistics.median(samples) for step, samples in costs.items()}
