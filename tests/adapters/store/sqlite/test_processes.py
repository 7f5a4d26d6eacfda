"""Real processes on one directory: no number is lost, nor what was acknowledged before a kill."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from clearance.adapters.store.sqlite import SqliteJournal
from clearance.core.model import Record

pytestmark = pytest.mark.servers

# Appends one or three records at a time to shared and own runs, over two days, and prints what was
# acknowledged. Arguments: directory, name, number of appends (0: until it is killed).
_WRITER = """
import itertools, sys
from datetime import UTC, datetime, timedelta
from clearance.adapters.store.sqlite import SqliteJournal
from clearance.core.model import Draft, Durability, RecordKind

journal = SqliteJournal(sys.argv[1])
name, count = sys.argv[2], int(sys.argv[3])
for step in itertools.count():
    if count and step == count:
        break
    at = datetime(2026, 3, 14, tzinfo=UTC) + timedelta(days=step // 40 % 2)
    run_id = "shared" if step % 2 else f"own-{name}"
    draft = Draft(run_id=run_id, kind=RecordKind.NOTE, at=at, agent="a", node=journal.node)
    size = 3 if step % 5 == 0 else 1
    durability = Durability.POWER if step % 3 == 0 else Durability.PROCESS
    for record in journal.append([draft] * size, durability=durability):
        print(record.run_id, record.seq, record.hash)
    sys.stdout.flush()
journal.close()
"""


def writer(root: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(root), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def acknowledged(lines: Iterable[str]) -> set[tuple[str, int, str]]:
    """What was printed whole: a killed process may have left half a line."""
    whole = [line.split() for line in lines if line.endswith("\n")]
    return {(run_id, int(seq), digest) for run_id, seq, digest in whole}


def triples(records: list[Record]) -> set[tuple[str, int, str]]:
    return {(record.run_id, record.seq, record.hash) for record in records}


def test_two_processes_on_the_same_runs_leave_no_gap(root: Path) -> None:
    processes = [writer(root, name, 120) for name in "xy"]
    printed: set[tuple[str, int, str]] = set()
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        printed |= acknowledged(out.splitlines(keepends=True))
    journal = SqliteJournal(root)
    shared = journal.run("shared")
    assert [record.seq for record in shared] == list(range(1, len(shared) + 1))
    stored = triples(shared) | triples(journal.run("own-x")) | triples(journal.run("own-y"))
    assert stored == printed
    found = journal.verify()
    assert (found.records, found.problems) == (len(printed), ())
    journal.close()


def test_a_killed_process_has_lost_nothing_it_acknowledged(root: Path) -> None:
    chance = random.Random(7)
    kept: set[tuple[str, int, str]] = set()
    for number in range(10):
        process = writer(root, str(number), 0)
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        timer = threading.Timer(chance.uniform(0.01, 0.15), process.send_signal, [signal.SIGKILL])
        timer.start()
        lines += process.stdout.readlines()
        assert process.wait(10) == -signal.SIGKILL
        process.stdout.close()
        kept |= acknowledged(lines)
        journal = SqliteJournal(root)
        found = journal.verify()
        assert found.problems == ()
        runs = ["shared", *(f"own-{other}" for other in range(number + 1))]
        stored = set().union(*(triples(journal.run(run_id)) for run_id in runs))
        assert kept <= stored
        assert len(stored) == found.records
        # An append of three is there whole or not at all: at most one more than was printed.
        assert len(stored - kept) <= 3 * (number + 1)
        assert journal.nodes.dead_nodes()
        journal.close()
    assert len(kept) > 100
