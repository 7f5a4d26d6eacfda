"""One look at what others changed serves a turn of the loop that is followed, and no other thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from clearance.adapters.store.sqlite import SqliteState
from clearance.adapters.store.sqlite.looks import Looks
from clearance.core.model import Agent
from clearance.wiring import utc_now

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def test_without_a_loop_a_look_serves_its_seconds() -> None:
    looks = Looks(60)
    assert not looks.is_fresh
    looks.looked()
    assert looks.is_fresh
    looks.look_again()
    assert not looks.is_fresh


@pytest.mark.parametrize("make", LOOPS)
def test_a_look_serves_the_turn_it_was_made_in(make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        looks = Looks()
        looks.follow_turns(loop.call_soon)
        for _ in range(3):
            assert not looks.is_fresh
            looks.looked()
            assert looks.is_fresh
            elsewhere: list[bool] = []
            thread = threading.Thread(target=lambda told=elsewhere: told.append(looks.is_fresh))
            thread.start()
            thread.join()
            assert elsewhere == [False]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        looks.looked()
        looks.look_again()
        assert not looks.is_fresh
        looks.looked()
        looks.follow_turns(None)
        assert not looks.is_fresh

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(run())


@pytest.mark.parametrize("make", LOOPS)
def test_what_comes_over_a_socket_after_a_change_is_judged_by_it(
    make: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    """Whoever waits for the answer to a change, and asks then, meets a server that knows of it."""
    state, other = SqliteState(tmp_path), SqliteState(tmp_path)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        state.follow_turns(loop.call_soon)
        seen: list[int] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(1):
                seen.append(state.agents.revision())
                writer.write(b"x")

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        def ask() -> list[int]:
            import socket

            expected = []
            with socket.create_connection(("127.0.0.1", port)) as client:
                for number in range(50):
                    other.agents.add_agent(Agent(name=f"a{number}", created_at=utc_now()))
                    expected.append(other.agents.revision())
                    client.sendall(b"x")
                    client.recv(1)
            return expected

        busy = True

        async def spin() -> None:
            while busy:  # other requests, which look all the time
                state.agents.revision()
                await asyncio.sleep(0)

        spinning = [asyncio.create_task(spin()) for _ in range(3)]
        expected = await asyncio.to_thread(ask)
        busy = False
        await asyncio.gather(*spinning)
        assert seen == expected
        state.follow_turns(None)
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(run())
    state.close()
    other.close()
