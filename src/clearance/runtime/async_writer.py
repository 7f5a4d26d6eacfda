"""Group commit for an event loop: what arrives while one commit runs goes into the next, off the loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from clearance.core.model import Draft, Durability, Record
from clearance.errors import StoreError
from clearance.ports import Journal

_MOST_AT_ONCE = 512  # records in one transaction


class _Entry(Struct, frozen=True):
    drafts: list[Draft]
    durability: Durability
    done: asyncio.Future[list[Record]]


class AsyncWriter:
    """Belongs to one event loop. `append` has the semantics of `Journal.append`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pending: list[_Entry] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clearance-journal")

    async def append(self, drafts: list[Draft], durability: Durability) -> list[Record]:
        """Returns when the drafts are as durable as asked. Raises StoreError. Cancelling does not unwrite."""
        entry = _Entry(drafts, durability, asyncio.get_running_loop().create_future())
        self._pending.append(entry)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._commit_all())
        return await entry.done

    async def close(self) -> None:
        """Finish what is pending, then let the thread go."""
        if self._task is not None:
            await self._task
        self._thread.shutdown(wait=True)

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            batch = self._pending[:_MOST_AT_ONCE]
            del self._pending[:_MOST_AT_ONCE]
            try:
                written = await loop.run_in_executor(self._thread, self._write, batch)
            except StoreError as error:
                _fail(batch, error)
            except Exception as error:  # a bug below us must refuse these actions, not hang them
                _fail(batch, StoreError(f"The store failed unexpectedly ({type(error).__name__})."))
            else:
                _resolve(batch, written)

    def _write(self, batch: list[_Entry]) -> list[Record]:
        power = any(entry.durability is Durability.POWER for entry in batch)
        drafts = [draft for entry in batch for draft in entry.drafts]
        return self._journal.append(drafts, durability=Durability.POWER if power else Durability.PROCESS)


def _resolve(batch: list[_Entry], written: list[Record]) -> None:
    start = 0
    for entry in batch:
        end = start + len(entry.drafts)
        if not entry.done.done():
            entry.done.set_result(written[start:end])
        start = end


def _fail(batch: list[_Entry], error: StoreError) -> None:
    for entry in batch:
        if not entry.done.done():
            entry.done.set_exception(error)
