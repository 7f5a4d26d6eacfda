"""Connections are taken together, on every address of a host, and after a shortage again."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest

from clearance.gateway.egress_proxy.listening import listen
from tests.servers.process import free_port


class Taken(list[tuple[socket.socket, str]]):
    def __call__(self, connection: socket.socket, peer: str) -> None:
        self.append((connection, peer))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self) < count:  # noqa: ASYNC110 - the kernel wakes nobody here
                await asyncio.sleep(0)


async def test_some_that_wait_are_taken_in_one_turn_of_the_loop_and_all_in_the_end() -> None:
    taken, port = Taken(), free_port()
    listener = await listen("127.0.0.1", port, taken)
    with ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(20)]
        await taken.until(1)
        assert 4 < len(taken) < len(made)
        await taken.until(len(made))
        assert [peer for _, peer in taken] == ["127.0.0.1"] * len(made)
        for connection, _ in taken:
            assert connection.gettimeout() == 0
            stack.enter_context(connection)
    listener.close()


async def test_a_name_is_listened_to_at_all_its_addresses_and_no_more_once_closed() -> None:
    taken, port = Taken(), free_port()
    listener = await listen("localhost", port, taken)
    assert listener.port == port
    hosts = {each[4][0] for each in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)}
    with ExitStack() as stack:
        for host in sorted(map(str, hosts)):
            stack.enter_context(socket.create_connection((host, port)))
        await taken.until(len(hosts))
        assert {peer for _, peer in taken} == hosts
        for connection, _ in taken:
            stack.enter_context(connection)
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


async def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="already in use"):
        await listen("127.0.0.1", other.getsockname()[1], Taken())


async def test_without_files_for_a_connection_it_is_taken_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("clearance.gateway.egress_proxy.listening._REST_SECONDS", 0.1)
    resource = pytest.importorskip("resource")
    taken, port = Taken(), free_port()
    listener = await listen("127.0.0.1", port, taken)
    with socket.create_connection(("127.0.0.1", port)):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            for _ in range(10):
                await asyncio.sleep(0)
            await asyncio.sleep(0.02)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert not taken
        assert len([each for each in caplog.messages if "cannot take a connection" in each]) == 1
        await taken.until(1)
        taken[0][0].close()
    listener.close()
