"""The watch: it wakes whoever waits, reads little, and lets everybody go."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from clearance.adapters.store import MemoryState
from clearance.core.model import Hold, HoldStatus, Operation, Shown
from clearance.errors import NotFoundError
from clearance.ports import HoldStore
from clearance.runtime import hold_watch
from clearance.runtime.hold_watch import HoldWatch

pytestmark = pytest.mark.servers  # takes its time

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def hold_of(number: int, **more: object) -> Hold:
    shown = Shown(agent="billing", run_id="run_1", tool="send_email", operation=Operation.SEND)
    made = Hold(
        hold_id=f"hold_{number}",
        action_id=f"act_{number}",
        run_id="run_1",
        agent="billing",
        requirements=(),
        shown=shown,
        shown_hash="",
        call_hash="",
        policy_version="",
        binding="",
        created_at=NOON + timedelta(seconds=number),
        expires_at=NOON + timedelta(hours=1),
    )
    return replace(made, **more)


def change(store: HoldStore, hold_id: str, status: HoldStatus) -> None:
    before = store.hold(hold_id)
    assert before is not None
    assert store.swap_hold(replace(before, status=status, version=before.version + 1))


class Counting:
    """A store that counts how often it is read."""

    def __init__(self, store: HoldStore) -> None:
        self._store = store
        self.reads = 0

    def hold(self, hold_id: str) -> Hold | None:
        self.reads += 1
        return self._store.hold(hold_id)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


async def test_who_waits_is_woken_soon_after_the_answer() -> None:
    store = MemoryState().holds
    store.add_hold(hold_of(1))
    watch = HoldWatch(store)
    waiting = asyncio.create_task(watch.answered("hold_1", seconds=10))
    await asyncio.sleep(0.2)
    change(store, "hold_1", HoldStatus.APPROVED)
    began = time.monotonic()
    assert (await waiting).status is HoldStatus.APPROVED
    assert time.monotonic() - began < 0.5
    assert watch.waiting == 0


async def test_a_change_that_leaves_it_pending_wakes_nobody() -> None:
    store = MemoryState().holds
    store.add_hold(hold_of(1))
    waiting = asyncio.create_task(HoldWatch(store).answered("hold_1", seconds=0.6))
    await asyncio.sleep(0.15)
    change(store, "hold_1", HoldStatus.PENDING)
    hold = await waiting
    assert (hold.status, hold.version) == (HoldStatus.PENDING, 2)


async def test_a_hold_that_is_decided_needs_no_wait_and_one_that_is_not_is_an_error() -> None:
    store = MemoryState().holds
    store.add_hold(hold_of(1, status=HoldStatus.DENIED))
    watch = HoldWatch(store)
    assert (await watch.answered("hold_1", seconds=10)).status is HoldStatus.DENIED
    with pytest.raises(NotFoundError):
        await watch.answered("hold_2", seconds=10)
    with pytest.raises(NotFoundError):
        await watch.follow("hold_2")


async def test_thousands_wait_at_the_price_of_one_look() -> None:
    store = MemoryState().holds
    for number in range(200):
        store.add_hold(hold_of(number))
    counting = Counting(store)
    watch = HoldWatch(counting)  # type: ignore[arg-type]
    waiting = [
        asyncio.create_task(watch.answered(f"hold_{number % 200}", seconds=30)) for number in range(5_000)
    ]
    while watch.waiting < 5_000:  # noqa: ASYNC110 - a count is no event
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    counting.reads = 0
    busy = time.process_time()
    await asyncio.sleep(0.5)
    assert counting.reads == 0, "nothing changed, so no hold is read"
    assert time.process_time() - busy < 0.1
    for number in range(200):
        change(store, f"hold_{number}", HoldStatus.APPROVED)
    began = time.monotonic()
    await asyncio.gather(*waiting)
    assert time.monotonic() - began < 10  # on a machine that does other things too
    assert counting.reads <= 600
    assert watch.waiting == 0


async def test_a_caller_that_goes_away_frees_its_place() -> None:
    store = MemoryState().holds
    store.add_hold(hold_of(1))
    watch = HoldWatch(store)
    waiting = asyncio.create_task(watch.answered("hold_1", seconds=30))
    following = watch.follow_all()
    await anext(following)
    await asyncio.sleep(0.05)
    assert watch.waiting == 2
    waiting.cancel()
    await following.aclose()  # type: ignore[attr-defined]
    await asyncio.gather(waiting, return_exceptions=True)
    assert watch.waiting == 0


async def test_a_reader_that_is_far_behind_is_let_go_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hold_watch, "_MOST_BEHIND", 3)
    store = MemoryState().holds
    store.add_hold(hold_of(0))
    watch = HoldWatch(store)
    slow, quick = watch.follow_all(), watch.follow_all()
    await anext(slow)
    await anext(quick)
    task = asyncio.create_task(anext(quick))
    await asyncio.sleep(0.15)
    seen = 0
    for number in range(1, 6):
        store.add_hold(hold_of(number))
        assert await asyncio.wait_for(task, 1) is not None
        seen += 1
        task = asyncio.create_task(anext(quick))
    task.cancel()
    assert seen == 5
    assert [hold async for hold in slow if hold is not None] == []


async def test_a_quiet_stream_beats_and_a_closing_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_watch, "HEARTBEAT_SECONDS", 0.05)
    store = MemoryState().holds
    store.add_hold(hold_of(1))
    watch = HoldWatch(store)
    stream = await watch.follow("hold_1")
    assert (await anext(stream)) is not None
    assert (await anext(stream)) is None
    everything = watch.follow_all()
    assert (await anext(everything)) is not None
    assert (await anext(everything)) is None
    watch.is_closing = True
    with pytest.raises(StopAsyncIteration):
        for _ in range(3):
            await anext(stream)
    with pytest.raises(StopAsyncIteration):
        for _ in range(3):
            await anext(everything)


async def test_a_hold_that_opens_and_ends_between_two_looks_is_still_told() -> None:
    store = MemoryState().holds
    store.add_hold(hold_of(0))
    everything = HoldWatch(store).follow_all()
    await anext(everything)
    task = asyncio.create_task(anext(everything))
    await asyncio.sleep(0.15)
    store.add_hold(hold_of(1, status=HoldStatus.TAKEN))
    told = await asyncio.wait_for(task, 1)
    assert told is not None
    assert (told.hold_id, told.status) == ("hold_1", HoldStatus.TAKEN)
