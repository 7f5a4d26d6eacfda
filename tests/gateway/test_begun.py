"""Work that begins where no task runs, and goes on in one."""

from __future__ import annotations

import asyncio

import pytest

from clearance.gateway.begun import Begun, begun


async def test_work_that_need_not_wait_is_done_at_once() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    assert begun(work()) is None
    assert done == [1]


async def test_work_that_waits_goes_on_in_the_task_that_awaits_it() -> None:
    free, done = asyncio.Event(), []

    async def work() -> None:
        await free.wait()
        await asyncio.sleep(0)
        done.append(asyncio.current_task())

    loop = asyncio.get_running_loop()
    left: asyncio.Future[Begun | None] = loop.create_future()
    loop.call_soon(lambda: left.set_result(begun(work())))
    rest = await left
    assert rest is not None
    assert not done
    loop.call_later(0.01, free.set)
    await rest
    assert done == [asyncio.current_task()]


async def test_what_came_meanwhile_need_not_come_again() -> None:
    free, done = asyncio.Event(), []

    async def work() -> None:
        await free.wait()
        done.append(1)

    rest = begun(work())
    assert rest is not None
    free.set()
    await asyncio.sleep(0.01)
    await rest
    assert done == [1]


async def test_what_it_raises_is_raised() -> None:
    async def work(seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)
        raise KeyError

    with pytest.raises(KeyError):
        begun(work(0))
    rest = begun(work(0.01))
    assert rest is not None
    with pytest.raises(KeyError):
        await rest
