"""One client's conversation with a server that runs as a child: every message passes the judge, both ways.

Knows neither what a message means nor how the client is reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Raw, Struct

from clearance.core.dialects import mcp
from clearance.core.dialects.mcp import Message, Notification, Request, RequestId, key_of
from clearance.errors import RequestError, SystemUnavailableError
from clearance.gateway.endpoint import Caller
from clearance.gateway.mcp_proxy import answers
from clearance.gateway.mcp_proxy.child import Child
from clearance.gateway.mcp_proxy.guarded import GuardedServer
from clearance.gateway.mcp_proxy.session import McpSession, Outgoing, Side
from clearance.runtime.joining import Hints

_FAILED: Final = "mcp_server_failed"
_TOO_LATE: Final = "mcp_server_late"
_MOST_UNDER_WAY: Final = 1_000  # requests of one client: what is past that waits in its pipe
_CANCELLED: Final = "notifications/cancelled"
_LATE: Final = "The MCP server did not answer in time; whether it did anything is not known."

ToClient = Callable[[bytes], Awaitable[None]]


class _Envelope(Struct, frozen=True):
    id: RequestId | None = None
    method: Raw = Raw()


_ENVELOPE = msgspec.json.Decoder(_Envelope)


class PipedSession:
    """Belongs to one event loop. `to_client` is awaited for each message, one after the other."""

    def __init__(self, server: GuardedServer, caller: Caller, hints: Hints, *, to_client: ToClient) -> None:
        self._session = McpSession(server, caller, hints)
        self._to_client = to_client
        self._seconds = server.settings.timeout_seconds
        self._child = Child(server.name, server.settings, received=self._received, ended=self._ended)
        self._under_way: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_MOST_UNDER_WAY)
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self._quiet = asyncio.Event()  # nothing is asked that was not answered
        self._quiet.set()
        self.ended = asyncio.Event()
        self.why = ""  # in words, once the child ended by itself

    async def start(self) -> None:
        """Raises SystemUnavailableError."""
        await self._child.start()

    async def from_client(self, message: bytes) -> None:
        """Take one message. A request may be judged for as long as a person needs: others pass it by.

        Notifications keep their place: `initialized` comes before what it opens.
        """
        try:
            read = mcp.read_message(message)
        except RequestError as error:
            return await self._to_client(answers.unreadable(message, error))
        if isinstance(read, Notification):
            return await self._judge(read, message)
        await self._room.acquire()
        judging = self._begin(self._judge(read, message))
        judging.add_done_callback(lambda _: self._room.release())
        return None

    async def close(self) -> None:
        """The client is gone: what it waited for is recorded as unknown, and the child ends."""
        for task in tuple(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._forget_deadlines()
        try:
            await self._session.gone()
        finally:
            await self._child.stop()

    async def settled(self, seconds: float) -> None:
        """Once every request taken so far was answered, or after so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), seconds)

    async def _judge(self, read: Message, message: bytes) -> None:
        outgoing = await self._session.from_client(read, message, tell=self._to_client)
        if isinstance(read, Request) and any(one.to is Side.SERVER for one in outgoing):
            loop, request_id = asyncio.get_running_loop(), read.id
            late = loop.call_later(self._seconds, lambda: self._begin(self._late(request_id)))
            self._deadlines[key_of(request_id)] = late
        try:
            await self._send(outgoing)
        except SystemUnavailableError as error:
            await self._broken(str(error))

    async def _received(self, message: bytes) -> None:
        with suppress(SystemUnavailableError):  # an answer of ours to a child that is gone
            await self._send(await self._session.from_server(message))

    async def _send(self, outgoing: list[Outgoing]) -> None:
        for one in outgoing:
            if one.to is Side.SERVER:
                await self._child.send(one.message)
                continue
            answered = self._deadlines.pop(_answers(one.message), None)
            if answered is not None:
                answered.cancel()
            await self._to_client(one.message)
            self._look()

    async def _late(self, request_id: RequestId) -> None:
        if self._deadlines.pop(key_of(request_id), None) is None:
            return
        with suppress(SystemUnavailableError):
            await self._child.send(mcp.write_notification(_CANCELLED, {"requestId": request_id}))
        await self._send(await self._session.broken(_TOO_LATE, _LATE, request_id=request_id))

    async def _ended(self, why: str) -> None:
        self.why = why
        await self._broken(why)
        self.ended.set()

    async def _broken(self, why: str) -> None:
        self._forget_deadlines()
        for one in await self._session.broken(_FAILED, why):
            if one.to is Side.CLIENT:
                await self._to_client(one.message)

    def _begin(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._under_way.add(task)
        self._quiet.clear()
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._look()

    def _look(self) -> None:
        if not self._under_way and not self._deadlines:
            self._quiet.set()

    def _forget_deadlines(self) -> None:
        for deadline in self._deadlines.values():
            deadline.cancel()
        self._deadlines.clear()


def _answers(message: bytes) -> str:
    """The key of the request that a message, which was judged, answers; empty where it answers none."""
    envelope = _ENVELOPE.decode(message)
    return "" if envelope.method or envelope.id is None else key_of(envelope.id)
