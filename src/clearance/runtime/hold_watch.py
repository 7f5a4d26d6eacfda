"""Wakes whoever waits for a hold: one task looks at the store, however many wait. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from clearance.core.model import Hold, HoldStatus
from clearance.errors import ClearanceError, NotFoundError
from clearance.ports import HoldQuery, HoldStore

HEARTBEAT_SECONDS = 15.0
_LOOK_SECONDS = 0.1
_MOST_OPEN = 10_000  # open holds that a stream of all of them follows
_NEWEST = 100  # of any status: those that opened and ended between two looks
_MOST_BEHIND = 1_000  # events that a slow reader may be behind before it is let go
_LOG = logging.getLogger("clearance")

_Changes = asyncio.Queue[Hold | None]
_Waiters = dict[asyncio.Future[Hold | None], int]  # each with the version that it has


class HoldWatch:
    """For one event loop. The task runs only while somebody waits; the store is read once for all of them."""

    def __init__(self, store: HoldStore) -> None:
        self._store = store
        self._waiting: dict[str, _Waiters] = {}
        self._readers: set[_Changes] = set()
        self._all = _OpenHolds(store)
        self._news: set[str] = set()  # waited for since the last look
        self._task: asyncio.Task[None] | None = None
        self.is_closing = False  # set at shutdown, from a signal handler too: everybody is answered

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return sum(map(len, self._waiting.values())) + len(self._readers)

    async def answered(self, hold_id: str, *, seconds: float) -> Hold:
        """The hold as soon as it is no longer pending, or as it is after so long. Raises NotFoundError."""
        ends = time.monotonic() + seconds
        hold = await self._read(hold_id)
        while hold.status is HoldStatus.PENDING and not self.is_closing:
            left = ends - time.monotonic()
            if left <= 0:
                break
            hold = await self._next(hold, seconds=left) or hold
        return hold

    async def follow(self, hold_id: str) -> AsyncIterator[Hold | None]:
        """The hold now and at each change, to its end; None after a while without. Raises NotFoundError."""
        return self._follow(await self._read(hold_id))

    async def _follow(self, hold: Hold) -> AsyncIterator[Hold | None]:
        yield hold
        while hold.is_open and not self.is_closing:
            changed = await self._next(hold, seconds=HEARTBEAT_SECONDS)
            yield changed
            hold = changed or hold

    async def follow_all(self) -> AsyncIterator[Hold | None]:
        """Every open hold now, and every change of any from then on; None after a while without. Endless."""
        reader: _Changes = asyncio.Queue(_MOST_BEHIND)
        self._readers.add(reader)
        try:
            for hold in await asyncio.to_thread(self._all.begin):
                yield hold
            self._look()
            while not self.is_closing and reader in self._readers:
                try:
                    yield await asyncio.wait_for(reader.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield None
        finally:
            self._readers.discard(reader)
            if not self._readers:
                self._all = _OpenHolds(self._store)

    async def _read(self, hold_id: str) -> Hold:
        hold = await asyncio.to_thread(self._store.hold, hold_id)
        if hold is None:
            raise NotFoundError("There is no hold of this id.")
        return hold

    async def _next(self, hold: Hold, *, seconds: float) -> Hold | None:
        """A later version of the hold; None when there was none for so long."""
        waiter: asyncio.Future[Hold | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(hold.hold_id, {})[waiter] = hold.version
        self._news.add(hold.hold_id)
        self._look()
        try:
            return await asyncio.wait_for(waiter, seconds)
        except TimeoutError:
            return None
        finally:
            waiters = self._waiting.get(hold.hold_id, {})
            waiters.pop(waiter, None)
            if not waiters:
                self._waiting.pop(hold.hold_id, None)

    def _look(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep_looking())

    async def _keep_looking(self) -> None:
        revision = -1
        while self.waiting:
            took = time.monotonic()
            if self.is_closing:
                self._let_go()
                return
            try:
                now = self._store.revision()
                await self._tell(is_changed=now != revision)
                revision = now
            except ClearanceError as error:
                _LOG.error("looking at holds failed (%s)", error.code)
            # However many wait, looking takes a tenth of the time at most.
            await asyncio.sleep(max(_LOOK_SECONDS, 9 * (time.monotonic() - took)))

    async def _tell(self, *, is_changed: bool) -> None:
        ids = [*self._waiting] if is_changed else [*self._news]
        self._news.clear()
        for hold in await asyncio.to_thread(self._known, ids) if ids else ():
            for waiter, version in self._waiting.get(hold.hold_id, {}).items():
                if version < hold.version and not waiter.done():
                    waiter.set_result(hold)
        if is_changed and self._readers:
            for hold in await asyncio.to_thread(self._all.changes):
                self._pass_on(hold)

    def _known(self, ids: list[str]) -> list[Hold]:
        return [hold for hold in map(self._store.hold, ids) if hold is not None]

    def _pass_on(self, hold: Hold) -> None:
        for reader in list(self._readers):
            try:
                reader.put_nowait(hold)
            except asyncio.QueueFull:
                self._readers.discard(reader)  # it comes back and is told what is open then

    def _let_go(self) -> None:
        for waiters in self._waiting.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        for reader in self._readers:
            with suppress(asyncio.QueueFull):
                reader.put_nowait(None)


class _OpenHolds:
    """What changed since it was last asked, among the open holds and the newest ones. Blocks."""

    def __init__(self, store: HoldStore) -> None:
        self._store = store
        self._seen: dict[str, int] | None = None
        self._open: set[str] = set()

    def begin(self) -> list[Hold]:
        """The open ones now, oldest first. The first to ask sets the mark that changes are told from."""
        found = self._found()
        if self._seen is None:
            self._remember(found)
        return sorted((hold for hold in found if hold.is_open), key=lambda hold: hold.created_at)

    def changes(self) -> list[Hold]:
        """In no order but that of one hold's versions."""
        seen, was_open = self._seen or {}, self._open
        found = self._found()
        self._remember(found)
        ended = was_open.difference(hold.hold_id for hold in found)
        changed = [hold for hold in found if seen.get(hold.hold_id) != hold.version]
        return [*changed, *(hold for hold in map(self._store.hold, ended) if hold is not None)]

    def _found(self) -> list[Hold]:
        queries = (
            HoldQuery(status=HoldStatus.PENDING, limit=_MOST_OPEN),
            HoldQuery(status=HoldStatus.APPROVED, limit=_MOST_OPEN),
            HoldQuery(limit=_NEWEST),
        )
        found = {hold.hold_id: hold for query in queries for hold in self._store.holds(query)}
        return list(found.values())

    def _remember(self, found: list[Hold]) -> None:
        self._seen = {hold.hold_id: hold.version for hold in found}
        self._open = {hold.hold_id for hold in found if hold.is_open}
