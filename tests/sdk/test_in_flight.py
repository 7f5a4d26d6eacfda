"""What runs already, and is stopped: async functions end, plain ones may ask, others run on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import clearance
from clearance import Client, PolicyViolationError, RequestError, brake_is_on, guard
from clearance.core.model import RecordKind, StopKind, StopLevel
from clearance.sdk.embedded import EmbeddedBackend
from clearance.wiring import assemble

pytestmark = pytest.mark.servers  # takes its time

LONG = 5.0  # seconds; no test waits that long


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path / "s", agent="a") as client:
        yield client


def pull(client: Client, kind: StopKind, name: str, level: StopLevel = StopLevel.PAUSED) -> None:
    assert isinstance(client.backend, EmbeddedBackend)
    client.backend.assembly.brake.set(kind, name, level, reason="odd", by="person:o")


async def stopped_while_running(client: Client, kind: StopKind, name: str, level: StopLevel) -> float:
    """How long after the brake the function was cancelled."""
    began, ended = asyncio.Event(), 0.0

    @guard(client=client)
    async def crawl() -> None:
        nonlocal ended
        began.set()
        try:
            await asyncio.sleep(LONG)
        finally:
            ended = time.perf_counter()

    task = asyncio.create_task(crawl())
    await began.wait()
    pulled = time.perf_counter()
    await asyncio.to_thread(pull, client, kind, name, level)
    with pytest.raises(PolicyViolationError) as refused:
        await task
    assert refused.value.reason_code == level.value
    return ended - pulled


@pytest.mark.parametrize(
    ("kind", "name", "level"),
    [
        (StopKind.AGENT, "a", StopLevel.PAUSED),
        (StopKind.TOOL, "Crawl", StopLevel.PAUSED),
        (StopKind.ALL, "", StopLevel.QUARANTINED),
    ],
)
async def test_an_async_function_is_cancelled_within_a_second(
    client: Client, kind: StopKind, name: str, level: StopLevel
) -> None:
    assert await stopped_while_running(client, kind, name, level) < 1.0
    [outcome] = [r for run in client.runs() for r in client.trace(run.run_id) if r.kind is RecordKind.OUTCOME]
    assert outcome.status == "failed"
    assert outcome.decoded()["error"] == "stopped by the brake"


async def test_a_brake_pulled_by_another_process_ends_it_too(client: Client, tmp_path: Path) -> None:
    assert isinstance(client.backend, EmbeddedBackend)
    other = assemble(client.backend.assembly.settings)
    try:
        began = asyncio.Event()

        @guard(client=client)
        async def crawl() -> None:
            began.set()
            await asyncio.sleep(LONG)

        task = asyncio.create_task(crawl())
        await began.wait()
        await asyncio.to_thread(
            other.brake.set, StopKind.AGENT, "a", StopLevel.PAUSED, reason="odd", by="person:o"
        )
        async with asyncio.timeout(1.0):
            with pytest.raises(PolicyViolationError):
                await task
    finally:
        other.close()


async def test_others_run_on(client: Client) -> None:
    pull(client, StopKind.AGENT, "b")

    @guard(client=client)
    async def work() -> str:
        await asyncio.sleep(0.6)
        return "done"

    assert await work() == "done"


async def test_an_action_that_was_cleared_goes_on_under_a_hold(client: Client) -> None:
    began = asyncio.Event()

    @guard(client=client)
    async def work() -> str:
        began.set()
        await asyncio.sleep(0.6)
        return "done"

    task = asyncio.create_task(work())
    await began.wait()
    await asyncio.to_thread(pull, client, StopKind.AGENT, "a", StopLevel.HELD)
    assert await task == "done"


async def test_a_callers_own_cancellation_stays_its_own(client: Client) -> None:
    @guard(client=client)
    async def work() -> None:
        await asyncio.sleep(LONG)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_function_that_will_not_end_is_told_of_as_it_ended(client: Client) -> None:
    began = asyncio.Event()

    @guard(client=client)
    async def stubborn() -> str:
        began.set()
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            return "finished all the same"
        return "late"

    task = asyncio.create_task(stubborn())
    await began.wait()
    await asyncio.to_thread(pull, client, StopKind.AGENT, "a")
    assert await task == "finished all the same"
    [outcome] = [r for run in client.runs() for r in client.trace(run.run_id) if r.kind is RecordKind.OUTCOME]
    assert outcome.status == "succeeded"


def test_a_plain_function_may_ask_whether_the_brake_is_on(client: Client) -> None:
    seen = []

    @guard(client=client)
    def crawl() -> None:
        seen.append(brake_is_on())
        pull(client, StopKind.TOOL, "crawl")
        seen.append(brake_is_on())

    crawl()
    assert seen == [False, True]
    assert clearance.brake_is_on is brake_is_on


def test_a_run_may_ask_and_is_told_by_an_error(client: Client) -> None:
    with client.run() as run:
        run.check_brake()
        pull(client, StopKind.ALL, "", StopLevel.QUARANTINED)
        with pytest.raises(PolicyViolationError) as refused:
            run.check_brake()
    assert refused.value.reason_code == "quarantined"


def test_outside_a_guarded_call_there_is_nothing_to_ask() -> None:
    with pytest.raises(RequestError):
        brake_is_on()


def test_nothing_is_watched_when_nothing_runs(client: Client) -> None:
    @guard(client=client)
    def work() -> None:
        return None

    work()
    assert not any(thread.name == "clearance-brake" for thread in threading.enumerate())
