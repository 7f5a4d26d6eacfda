"""Group commit on the server's own loop: one commit for one turn; a failure refuses all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from clearance.adapters.store import MemoryJournal
from clearance.core.model import Draft, Durability, Record, RecordKind
from clearance.errors import StoreError
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

    def append(self, drafts: Sequence[Draft], *, durability: Durability = Durability.POWER) -> list[Record]:
        if self.failing is not None:
            raise self.failing
        self.commits.append((len(drafts), durability))
        return super().append(drafts, durability=durability)


async def test_what_one_turn_of_the_loop_brings_shares_a_commit_as_durable_as_the_most_asked() -> None:
    journal = Counting()
    writer = LoopWriter(journal)
    durabilities = [Durability.PROCESS] * 9 + [Durability.POWER]
    written = await asyncio.gather(*(writer.append([draft(), draft()], one) for one in durabilities))
    assert journal.commits == [(20, Durability.POWER)]
    assert [record.seq for group in written for record in group] == list(range(1, 21))
    await writer.append([draft()], Durability.PROCESS)
    assert journal.commits[1:] == [(1, Durability.PROCESS)]


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
