"""How a door ends: who is answered is waited for, who waits for somebody else is told to stop."""

from __future__ import annotations

import asyncio

import pytest

from clearance.gateway.ending import Ending, StoppingError


async def waits(ending: Ending, *, at_once: bool = False) -> str:
    """One request that waits for somebody who never comes."""
    with ending.answering():
        try:
            with ending.may_end(at_once=at_once):
                await asyncio.sleep(60)
        except StoppingError:
            await asyncio.sleep(0)  # what is to be recorded still can be
            return "told"
    return "ended"


async def begun(ending: Ending, *, at_once: bool = False) -> asyncio.Task[str]:
    task = asyncio.create_task(waits(ending, at_once=at_once))
    await asyncio.sleep(0)
    return task


async def test_draining_takes_nothing_new_and_returns_when_nothing_is_under_way() -> None:
    ending = Ending()
    task = await begun(ending)
    draining = asyncio.create_task(ending.drain())
    await asyncio.sleep(0.01)
    assert not draining.done()
    assert not task.done()
    with pytest.raises(StoppingError) as refused, ending.answering():
        pass
    assert (refused.value.reason, refused.value.sent) == ("shutting_down", False)
    await ending.close()
    assert await task == "told"
    await asyncio.wait_for(draining, 1)


async def test_what_may_never_come_is_not_waited_for_when_it_drains() -> None:
    ending = Ending()
    task = await begun(ending, at_once=True)
    await asyncio.wait_for(ending.drain(), 1)
    assert await task == "told"


async def test_who_comes_to_wait_when_it_is_over_is_told_at_once() -> None:
    ending = Ending()
    await ending.close()
    with pytest.raises(StoppingError), ending.may_end():
        raise AssertionError("it began")


async def test_a_cancellation_that_is_not_the_ends_stays_one() -> None:
    ending = Ending()
    task = await begun(ending)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_does_not_end_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearance.gateway.ending._LAST_SECONDS", 0.05)
    ending = Ending()

    async def deaf() -> None:
        with ending.answering():
            await asyncio.sleep(60)

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await asyncio.wait_for(ending.close(), 1)
    assert task.cancelled()
