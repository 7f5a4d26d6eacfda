"""A server on loopback whose every byte is the test's, and a client; on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from clearance.gateway.upstream import Origin, OutRequest, UpstreamClient

NOWHERE = Origin("http", "127.0.0.1", 0)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass
class Scripted:
    """`handlers` serve one connection each, in turn; the last one serves the rest."""

    handlers: list[Handler]
    origin: Origin = NOWHERE
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    failures: list[BaseException] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = self.handlers[min(self.connections, len(self.handlers) - 1)]
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client closed: told apart by what the test asserts
        except Exception as error:
            self.failures.append(error)
        finally:
            self.open_now -= 1
            writer.close()


Serve = Callable[..., Awaitable[Scripted]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve(handler, ...)` listens; keywords are those of `asyncio.start_server`."""
    listening: list[asyncio.Server] = []
    scripts: list[Scripted] = []

    async def start(*handlers: Handler, **options: Any) -> Scripted:
        script = Scripted(list(handlers))
        server = await asyncio.start_server(script, "127.0.0.1", 0, **options)
        listening.append(server)
        scripts.append(script)
        scheme = "https" if "ssl" in options else "http"
        script.origin = Origin(scheme, "127.0.0.1", server.sockets[0].getsockname()[1])
        return script

    yield start
    for server in listening:
        server.close()
    assert [failure for script in scripts for failure in script.failures] == []


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    """Closed afterwards, with nothing left behind."""
    before = asyncio.all_tasks()
    opened = UpstreamClient(timeout_seconds=10)
    yield opened
    await opened.close()
    left = {task for task in asyncio.all_tasks() - before if "upstream" in repr(task.get_coro())}
    assert left == set()


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One request's head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = bytearray()
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            body += await reader.readexactly(int(line.partition(b":")[2]))
        elif line == b"transfer-encoding: chunked":
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
    return head, bytes(body)


def answering(*answers: bytes, closes: bool = False) -> Handler:
    """Each request gets the next of these bytes, the last one again and again."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(answers)
        while True:
            await request_of(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()
            if closes:
                return

    return handle


def get(target: bytes = b"/") -> OutRequest:
    return OutRequest(b"GET", target)


def post(body: bytes = b"{}", target: bytes = b"/") -> OutRequest:
    return OutRequest(b"POST", target, ((b"content-type", b"application/json"),), body)


async def until(condition: Callable[[], bool], seconds: float = 2.0) -> None:
    """Return once it holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
