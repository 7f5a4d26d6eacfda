"""Group commit on the server's own loop: one commit for one turn; a failure refuses all of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from clearance.adapters.store import MemoryJournal
from clearance.core.model import Draft, Durability, Record, RecordKind
from clearance.errors import StoreError
from clearance.runtime import loop_writer
from clearance.runtime.loop_writer import LoopWriter

AT = datetime(2026, 1, 1, tzinfo=UTC)


def draft() -> Draft:
    return Draft(run_id="run_1", kind=RecordKind.NOTE, at=AT, agent="a")


class Counting(MemoryJournal):
    """Counts commits, and can be told to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[tuple[int, Durability]] = []
        self.failing: Exception | None = None
        self.syncs = 0
        self.disk = threading.Event()  # until it is set, the disk takes its time
        self.disk.set()
        self.sync_fails: Exception | None = None
        self.takes = self.clock = 0.0  # seconds
        self.synced_by: list[threading.Thread] = []

    def sync(self) -> None:
        self.disk.wait(10)
        self.clock += self.takes
        self.syncs += 1
        self.synced_by.append(threading.current_thread())
        if self.sync_fails is not None:
            raise self.sync_fails

    def append(self, drafts: Sequence[Draft], *, durability: Durability = Durability.POWER) -> list[Record]:
        if self.failing is not None:
            raise self.failing
        self.commits.append((len(drafts), durability))
        return super().append(drafts, durability=durability)


async def test_what_one_turn_of_the_loop_brings_shares_a_commit_and_a_sync() -> None:
    journal = Counting()
    writer = LoopWriter(journal)
    durabilities = [Durability.PROCESS] * 9 + [Durability.POWER]
    written = await asyncio.gather(*(writer.append([draft(), draft()], one) for one in durabilities))
    assert journal.commits == [(20, Durability.PROCESS)]
    assert journal.syncs == 1
    assert [record.seq for group in written for record in group] == list(range(1, 21))
    await writer.append([draft()], Durability.PROCESS)
    assert journal.commits[1:] == [(1, Durability.PROCESS)]
    assert journal.syncs == 1
    writer.close()


async def test_who_asked_for_power_waits_for_the_disk_and_nobody_else_does() -> None:
    journal = Counting()
    writer = LoopWriter(journal)
    journal.disk.clear()
    first = asyncio.create_task(writer.append([draft()], Durability.POWER))
    assert len(await writer.append([draft()], Durability.PROCESS)) == 1
    later = [asyncio.create_task(writer.append([draft()], Durability.POWER)) for _ in range(3)]
    assert len(await writer.append([draft()], Durability.PROCESS)) == 1
    assert not first.done()
    assert not any(one.done() for one in later)
    journal.disk.set()
    await asyncio.gather(first, *later)
    assert journal.syncs == 2  # one for the first, one for all that came while it ran
    writer.close()


async def test_one_caller_alone_waits_on_the_loop_for_a_quick_disk_and_in_a_thread_for_a_slow_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = Counting()
    monkeypatch.setattr(loop_writer, "perf_counter", lambda: journal.clock)
    writer = LoopWriter(journal)
    here = threading.main_thread()
    for takes, on_the_loop in ((0.0, False), (0.0, True), (0.01, True), (0.0, False), (0.0, True)):
        journal.takes = takes  # what the last one took is what the next is taken to take
        await writer.append([draft()], Durability.POWER)
        assert (journal.synced_by[-1] is here) is on_the_loop
    together = [writer.append([draft()], Durability.POWER) for _ in range(2)]
    await asyncio.gather(*together)
    assert journal.synced_by[-1] is not here
    writer.close()


@pytest.mark.parametrize("error", [StoreError("the disk is gone"), ZeroDivisionError()])
async def test_what_the_disk_did_not_take_is_refused_and_the_next_is_tried_again(error: Exception) -> None:
    journal = Counting()
    writer = LoopWriter(journal)
    journal.sync_fails = error
    with pytest.raises(StoreError):
        await writer.append([draft()], Durability.POWER)
    assert len(await writer.append([draft()], Durability.PROCESS)) == 1
    journal.sync_fails = None
    assert len(await writer.append([draft()], Durability.POWER)) == 1
    writer.close()


@pytest.mark.parametrize("error", [StoreError("disk full"), ZeroDivisionError()])
async def test_a_failure_refuses_everyone_in_its_group_and_the_writer_works_again_after(
    error: Exception,
) -> None:
    journal = Counting()
    writer = LoopWriter(journal)
    journal.failing = error
    refused = await asyncio.gather(
        *(writer.append([draft()], Durability.POWER) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(one, StoreError) for one in refused)
    journal.failing = None
    assert len(await writer.append([draft()], Durability.POWER)) == 1


async def test_a_caller_that_goes_away_does_not_stop_the_others() -> None:
    journal = Counting()
    writer = LoopWriter(journal)
    tasks = [asyncio.create_task(writer.append([draft()], Durability.POWER)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(tasks[0], tasks[2])
    assert tasks[1].cancelled()
    assert len(journal.run("run_1")) == 3
