"""Group commit for a server's event loop: on the loop itself; a thread makes it proof against a power cut.

A commit in a thread would take turns with the loop for the interpreter at every step of SQLite; a wait for
the disk takes no turns, and meanwhile the loop goes on with other requests: see decisions/0005 and 0012.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter

from clearance.core.model import Draft, Durability, Record
from clearance.errors import StoreError
from clearance.ports import Journal
from clearance.runtime.group import Entry, fail, resolve, write

_Written = list[tuple[Entry, list[Record]]]
_QUICK_SECONDS = 0.001  # of a sync: for one caller alone, the way to the thread and back takes as long


class LoopWriter:
    """Belongs to one event loop. `append` has the semantics of `Journal.append`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pending: list[Entry] = []
        self._unsynced: _Written = []
        self._syncer: _Syncer | None = None
        self._is_syncing = False
        self._took = _QUICK_SECONDS  # the last sync, in seconds
        self.commits = 0

    async def append(self, drafts: list[Draft], durability: Durability) -> list[Record]:
        """Returns when the drafts are as durable as asked. Raises StoreError. Cancelling does not unwrite."""
        loop = asyncio.get_running_loop()
        entry = Entry(drafts, durability, loop.create_future())
        self._pending.append(entry)
        if len(self._pending) == 1:
            loop.call_soon(self._commit)  # after every request that this turn of the loop brought
        return await entry.done

    def close(self) -> None:
        """Let the thread go. Nobody waits for an append any more."""
        if self._syncer is not None:
            self._syncer.close()

    def _commit(self) -> None:
        group, self._pending = self._pending, []
        self.commits += 1
        try:
            written = write(self._journal, group, Durability.PROCESS)
        except StoreError as error:
            fail(group, error)
            return
        for entry, records in written:
            if entry.durability is Durability.POWER:
                self._unsynced.append((entry, records))
            else:
                resolve(entry, records)
        self._sync()

    def _sync(self) -> None:
        """What is committed while the disk works waits for the next time."""
        if self._is_syncing or not self._unsynced:
            return
        written, self._unsynced = self._unsynced, []
        if len(written) == 1 and self._took < _QUICK_SECONDS:
            self._synced(written, *_timed_sync(self._journal))
            return
        if self._syncer is None:
            self._syncer = _Syncer(self._journal, asyncio.get_running_loop(), self._synced)
        self._is_syncing = True
        self._syncer.sync(written)

    def _synced(self, written: _Written, error: StoreError | None, took: float) -> None:
        self._is_syncing = False
        self._took = took
        if error is None:
            for entry, records in written:
                resolve(entry, records)
        else:
            fail([entry for entry, _ in written], error)
        self._sync()


class _Syncer:
    """The thread that waits for the disk."""

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        done: Callable[[_Written, StoreError | None, float], None],
    ) -> None:
        self._journal = journal
        self._loop = loop
        self._done = done
        self._asked: SimpleQueue[_Written | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="clearance-sync", daemon=True)
        self._thread.start()

    def sync(self, written: _Written) -> None:
        self._asked.put(written)

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (written := self._asked.get()) is not None:
            outcome = _timed_sync(self._journal)
            with suppress(RuntimeError):  # the loop was closed: nobody waits
                self._loop.call_soon_threadsafe(self._done, written, *outcome)


def _timed_sync(journal: Journal) -> tuple[StoreError | None, float]:
    """What went wrong, and how many seconds it took."""
    began, error = perf_counter(), None
    try:
        journal.sync()
    except StoreError as known:
        error = known
    except Exception as unexpected:  # it must refuse, not hang
        error = StoreError(f"The store failed unexpectedly ({type(unexpected).__name__}).")
    return error, perf_counter() - began
