"""Group commit on an event loop: what is acknowledged is written; a failure refuses its whole group."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from clearance.adapters.store import MemoryJournal
from clearance.core.model import Draft, Durability, Record, RecordKind
from clearance.errors import StoreError
from clearance.runtime.async_writer import AsyncWriter

AT = datetime(2026, 1, 1, tzinfo=UTC)


def draft(run_id: str = "run_1") -> Draft:
    return Draft(run_id=run_id, kind=RecordKind.NOTE, at=AT, agent="a")


class Counting(MemoryJournal):
    """Counts commits, and can be told to fail or to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[tuple[int, Durability]] = []
        self.failing: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def append(self, drafts: Sequence[Draft], *, durability: Durability = Durability.POWER) -> list[Record]:
        self.gate.wait(timeout=10)
        if self.failing is not None:
            raise self.failing
        self.commits.append((len(drafts), durability))
        return super().append(drafts, durability=durability)


async def test_what_arrives_while_one_commit_runs_shares_the_next() -> None:
    journal = Counting()
    writer = AsyncWriter(journal)
    journal.gate.clear()
    first = asyncio.create_task(writer.append([draft()], Durability.PROCESS))
    await asyncio.sleep(0.05)
    rest = [asyncio.create_task(writer.append([draft(), draft()], Durability.POWER)) for _ in range(50)]
    await asyncio.sleep(0.05)
    journal.gate.set()
    written = await asyncio.gather(first, *rest)
    assert [size for size, _ in journal.commits] == [1, 100]
    assert journal.commits[1][1] is Durability.POWER
    assert [record.seq for group in written for record in group] == list(range(1, 102))
    await writer.close()


async def test_a_failing_store_refuses_everyone_who_waits_and_works_again_after() -> None:
    journal = Counting()
    writer = AsyncWriter(journal)
    journal.failing = StoreError("disk full")
    results = await asyncio.gather(
        *(writer.append([draft()], Durability.POWER) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(result, StoreError) for result in results)
    journal.failing = None
    assert len(await writer.append([draft()], Durability.POWER)) == 1
    await writer.close()


async def test_a_bug_below_refuses_instead_of_hanging() -> None:
    journal = Counting()
    writer = AsyncWriter(journal)
    journal.failing = ZeroDivisionError()
    with pytest.raises(StoreError, match="ZeroDivisionError"):
        await writer.append([draft()], Durability.POWER)
    await writer.close()


async def test_a_cancelled_caller_does_not_take_back_what_it_wrote_or_stop_the_others() -> None:
    journal = Counting()
    writer = AsyncWriter(journal)
    journal.gate.clear()
    tasks = [asyncio.create_task(writer.append([draft()], Durability.POWER)) for _ in range(3)]
    await asyncio.sleep(0.05)
    tasks[1].cancel()
    journal.gate.set()
    await asyncio.gather(tasks[0], tasks[2])
    await writer.close()
    assert len(journal.run("run_1")) == 3
