"""Group commit for a program's own event loop: the commits run off the loop, in a thread.

What arrives while one commit runs goes into the next.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from clearance.core.model import Draft, Durability, Record
from clearance.errors import StoreError
from clearance.ports import Journal
from clearance.runtime.group import Entry, fail, most_of, resolve, write

_MOST_AT_ONCE = 512  # appends in one transaction


class AsyncWriter:
    """Belongs to one event loop. `append` has the semantics of `Journal.append`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pending: list[Entry] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clearance-journal")

    async def append(self, drafts: list[Draft], durability: Durability) -> list[Record]:
        """Returns when the drafts are as durable as asked. Raises StoreError. Cancelling does not unwrite."""
        entry = Entry(drafts, durability, asyncio.get_running_loop().create_future())
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
            group = self._pending[:_MOST_AT_ONCE]
            del self._pending[:_MOST_AT_ONCE]
            try:
                written = await loop.run_in_executor(
                    self._thread, write, self._journal, group, most_of(group)
                )
            except StoreError as error:
                fail(group, error)
            else:
                for entry, records in written:
                    resolve(entry, records)
