"""A statement on a guarded connection beside the same statement on the driver alone, and its undo."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.harness import Bench, Result
from benchmarks.harness.databases import MILLION, Database, database
from benchmarks.harness.result import Target

ENGINES = ("postgres", "mysql", "sqlite")
ROUNDS = {1: 60, 100: 30, 10_000: 5, MILLION: 1}
_TARGETS = {("postgres", 10_000): 2.0, ("postgres", MILLION): 2.5}
_DELETES_FROM = 2 * MILLION  # below it whole millions are deleted, above it the smaller numbers


def at_most_times(limit: float) -> Target:
    return Target(f"≤ {limit:g} × the driver", lambda ours, peer: peer is not None and ours <= limit * peer)


def measure(bench: Bench) -> Iterator[Result]:
    for engine in ENGINES:
        bench.say(f"{engine}: making {MILLION * 2.4:,.0f} rows")
        with bench.store() as directory, database(engine, directory) as opened:
            for verb, statement in (("update", _update), ("delete", _delete)):
                for rows in ROUNDS:
                    bench.say(f"{engine}: {verb} of {rows:,}")
                    yield _compared(opened, verb, rows, statement)
            opened.rebuild()
            bench.say(f"{engine}: undo of 10,000")
            yield _undone(opened)


def _compared(opened: Database, verb: str, rows: int, statement: Callable[[int, int], str]) -> Result:
    """Plain and guarded in turns, each on rows of its own, so that neither finds the other's work done."""
    plain, guarded = [], []
    for turn in range(ROUNDS[rows]):
        plain.append(_milliseconds(opened.plain, statement(rows, 2 * turn)))
        guarded.append(_milliseconds(opened.guarded, statement(rows, 2 * turn + 1)))
    limit = _TARGETS.get((opened.name, rows))
    return Result(
        claim=f"guarded/{opened.name}_{verb}_{rows}",
        ours=statistics.median(guarded),
        peer=statistics.median(plain),
        peer_name=opened.driver,
        unit="ms",
        target=None if limit is None else at_most_times(limit),
        conditions={
            "rounds": ROUNDS[rows],
            "durability": "fsync at commit, both sides; ours also its journal's",
        },
    )


def _undone(opened: Database) -> Result:
    """The change itself beside putting it back."""
    changes, undos = [], []
    for turn in range(ROUNDS[10_000]):
        changes.append(_milliseconds(opened.plain, _update(10_000, 2 * turn)))
        done = opened.guarded(_update(10_000, 2 * turn + 1))
        undos.append(_milliseconds(lambda _, done=done: opened.undo(done), ""))
    return Result(
        claim=f"guarded/{opened.name}_undo_10000",
        ours=statistics.median(undos),
        peer=statistics.median(changes),
        peer_name=f"the change itself, {opened.driver}",
        unit="ms",
        target=at_most_times(2.0),
        conditions={"rounds": ROUNDS[10_000], "verified": "read again after restoring"},
    )


def _update(rows: int, turn: int) -> str:
    first = turn * rows % (2 * MILLION) + 1
    return f"UPDATE accounts SET balance = balance + 1 WHERE id BETWEEN {first} AND {first + rows - 1}"


def _delete(rows: int, turn: int) -> str:
    first = turn * rows + 1 if rows == MILLION else _DELETES_FROM + _OFFSETS[rows] + turn * rows + 1
    return f"DELETE FROM accounts WHERE id BETWEEN {first} AND {first + rows - 1}"


_OFFSETS = {1: 0, 100: 1_000, 10_000: 20_000}


def _milliseconds(run: Callable[[str], object], statement: str) -> float:
    start = time.perf_counter()
    run(statement)
    return (time.perf_counter() - start) * 1_000
