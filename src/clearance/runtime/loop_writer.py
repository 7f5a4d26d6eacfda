"""Group commit for a server's event loop: the commits run on the loop itself, between two of its turns.

A thread would take turns with the loop for the interpreter, at every step of SQLite: see decisions/0005.
"""

from __future__ import annotations

import asyncio

from clearance.core.model import Draft, Durability, Record
from clearance.errors import StoreError
from clearance.ports import Journal
from clearance.runtime.group import Entry, fail, resolve, write


class LoopWriter:
    """Belongs to one event loop, which has nothing better to do: every request waits for its commit."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pending: list[Entry] = []
        self.commits = 0

    async def append(self, drafts: list[Draft], durability: Durability) -> list[Record]:
        """Returns when the drafts are as durable as asked. Raises StoreError. Cancelling does not unwrite."""
        loop = asyncio.get_running_loop()
        entry = Entry(drafts, durability, loop.create_future())
        self._pending.append(entry)
        if len(self._pending) == 1:
            loop.call_soon(self._commit)  # after every request that this turn of the loop brought
        return await entry.done

    def _commit(self) -> None:
        group, self._pending = self._pending, []
        self.commits += 1
        try:
            written = write(self._journal, group)
        except StoreError as error:
            fail(group, error)
        else:
            resolve(group, written)
