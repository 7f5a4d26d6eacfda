"""The way to an MCP server that is started here: its pipes, as an HTTP server would answer for it.

A session has a child of its own, so that nothing of one agent is left for another. Requests of a revision
without sessions share one: its ids are ours, since two clients may use the same.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from clearance.config.mcp import McpServer
from clearance.core.dialects import mcp
from clearance.core.dialects.mcp import Message, Request, Response
from clearance.core.dialects.mcp_headers import SESSION
from clearance.errors import RequestError, SystemUnavailableError
from clearance.gateway.mcp_proxy import events
from clearance.gateway.mcp_proxy.child import Child
from clearance.gateway.mcp_proxy.link import Frame
from clearance.gateway.mcp_proxy.switchboard import Call, Switchboard
from clearance.gateway.upstream import UpstreamError

_MOST_CHILDREN: Final = 32  # of one server; a node process takes 60 MB
_IDLE_SECONDS: Final = 1_800.0
_SPARE_SECONDS: Final = 60.0  # a session idle for less is never ended to make room
_FIRST_PAUSE_SECONDS: Final = 0.5  # after a crash; doubled by each further one
_LONGEST_PAUSE_SECONDS: Final = 30.0
_STEADY_SECONDS: Final = 60.0  # what ran so long did not crash because it was started
_FAILED: Final = "mcp_server_failed"
_SHARED: Final = ""
_DISCOVER: Final = "server/discover"
_DISCOVER_SECONDS: Final = 10.0  # a server that knows no such method may say nothing at all
_DISCOVERY: Final = Request(
    id=0,
    method=_DISCOVER,
    params={
        "_meta": {
            mcp.VERSION_KEY: mcp.STATELESS[-1],
            "io.modelcontextprotocol/clientInfo": {"name": "clearance", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
)
_NO_SESSION: Final = "This request needs a session: begin one with `initialize`, and send its Mcp-Session-Id."
_NO_REVISION: Final = (
    "This MCP server speaks no revision without sessions, and Clearance translates between none: begin a"
    " session with `initialize`."
)


class ChildLink:
    """Belongs to one event loop. Serves every session with one server."""

    def __init__(self, name: str, settings: McpServer) -> None:
        self._name = name
        self._settings = settings
        self._running: dict[str, _Running] = {}  # by session
        self._starting = asyncio.Lock()
        self._pause = 0.0
        self._not_before = 0.0

    async def send(self, message: bytes, headers: Mapping[str, str]) -> ChildExchange:
        """Raises UpstreamError. A session that is over answers 404: its client begins another."""
        try:
            read = mcp.read_message(message)
        except RequestError:
            return ChildExchange(status=400)
        session, begins = headers.get(SESSION, _SHARED), False
        if isinstance(read, Request) and read.method == "initialize":
            session, begins = f"mcps_{secrets.token_urlsafe(24)}", True
            running = await self._started(session)
        elif session == _SHARED:
            shared = await self._without_session(read)
            if isinstance(shared, ChildExchange):
                return shared
            running = shared
        elif (known := self._running.get(session)) is None:
            return ChildExchange(status=404)
        else:
            running = known
        call = running.board.opened(read, message)
        try:
            await running.send(call)
            return await ChildExchange.of(call, running, session if begins else "")
        except BaseException:
            await running.gave_up(call)
            if begins:  # nobody knows of it
                await self.end({SESSION: session})
            raise

    async def _without_session(self, read: Message) -> _Running | ChildExchange:
        """The child that all share; or why it is not asked: what it knows no answer to, it might still do."""
        if not isinstance(read, Request):
            return self._running.get(_SHARED) or ChildExchange(status=202)
        if not mcp.is_stateless(read.params):
            return ChildExchange.declined(read, _NO_SESSION)
        running = await self._started(_SHARED)
        if read.method == _DISCOVER or await running.is_stateless():
            return running
        return ChildExchange.declined(read, _NO_REVISION)

    async def listen(self, headers: Mapping[str, str]) -> ChildExchange:
        """One stream for each session."""
        running = self._running.get(headers.get(SESSION, "none"))
        if running is None:
            return ChildExchange(status=404)
        call = running.board.listening()
        return ChildExchange(status=409) if call is None else ChildExchange(call, running, is_stream=True)

    async def end(self, headers: Mapping[str, str]) -> int:
        """End a session and its child."""
        running = self._running.pop(headers.get(SESSION, "none"), None)
        if running is None:
            return 404
        await running.stop()
        return 200

    async def close(self) -> None:
        """End every child."""
        running = tuple(self._running.values())
        self._running.clear()
        await asyncio.gather(*(one.stop() for one in running))

    async def _started(self, session: str) -> _Running:
        async with self._starting:
            if session in self._running:
                return self._running[session]
            wait = self._not_before - time.monotonic()
            if wait > 0:
                raise _unsent(
                    f"The MCP server {self._name} ended by itself; it is started again in {wait:.1f} s."
                )
            await self._make_room()
            running = _Running(self._name, self._settings, self._ended, is_shared=session == _SHARED)
            try:
                await running.child.start()
            except SystemUnavailableError as error:
                self._back_off(0.0)
                raise _unsent(str(error)) from None
            self._running[session] = running
            return running

    async def _make_room(self) -> None:
        """End what nobody used for long; where all are in use, nothing more is started."""
        now = time.monotonic()
        idle = sorted((one.used_at, key) for key, one in self._running.items() if not one.board.is_busy)
        for index, (used_at, key) in enumerate(idle):
            is_full = len(self._running) >= _MOST_CHILDREN and index == 0
            if now - used_at > (_SPARE_SECONDS if is_full else _IDLE_SECONDS):
                await self._running.pop(key).stop()
        if len(self._running) >= _MOST_CHILDREN:
            raise _unsent(f"The MCP server {self._name} runs {_MOST_CHILDREN} times already.")

    async def _ended(self, running: _Running) -> None:
        for session, one in tuple(self._running.items()):
            if one is running:
                del self._running[session]
        self._back_off(time.monotonic() - running.started_at)

    def _back_off(self, ran_seconds: float) -> None:
        longer = 0.0 if ran_seconds > _STEADY_SECONDS else self._pause * 2
        self._pause = min(max(longer, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        self._not_before = time.monotonic() + self._pause


class _Running:
    """One child, and who waits for what it says."""

    def __init__(
        self, name: str, settings: McpServer, ended: Callable[[_Running], Awaitable[None]], *, is_shared: bool
    ) -> None:
        self.board = Switchboard(is_shared=is_shared)
        self.child = Child(name, settings, received=self._received, ended=self._told)
        self.started_at = self.used_at = time.monotonic()
        self._over = ended
        self._discovered: asyncio.Task[bool] | None = None

    async def is_stateless(self) -> bool:
        """Whether the server speaks a revision without sessions. It is asked once. Raises UpstreamError."""
        if self._discovered is None:
            self._discovered = asyncio.create_task(self._discover())
        return await asyncio.shield(self._discovered)

    async def _discover(self) -> bool:
        call = self.board.opened(_DISCOVERY, b"")
        await self.send(call)
        try:
            async with asyncio.timeout(_DISCOVER_SECONDS):
                answer = mcp.read_message(await call.next())
        except (TimeoutError, RequestError):
            return False
        return isinstance(answer, Response) and answer.result is not None

    async def send(self, call: Call) -> None:
        """Raises UpstreamError."""
        self.used_at = time.monotonic()
        try:
            await self.child.send(call.sent)
        except SystemUnavailableError as error:
            raise UpstreamError(str(error), reason=_FAILED, sent=self.child.is_running) from None

    async def gave_up(self, call: Call) -> None:
        """Nobody reads its answer any more. Without sessions that cancels it; in one, a message does."""
        if cancel := self.board.forgotten(call):
            with suppress(SystemUnavailableError):
                await self.child.send(cancel)

    async def stop(self) -> None:
        """End the child, and every wait for it."""
        await self.child.stop()
        self.board.fail("The session was ended.")

    async def _received(self, message: bytes) -> None:
        self.used_at = time.monotonic()
        answer = self.board.received(message)
        if answer:
            with suppress(SystemUnavailableError):
                await self.child.send(answer)

    async def _told(self, why: str) -> None:
        await self._over(self)
        self.board.fail(why)


class ChildExchange:
    """What comes back for one message: nothing, the answer alone, or a stream that ends with the answer."""

    def __init__(
        self,
        call: Call | None = None,
        running: _Running | None = None,
        *,
        status: int = 200,
        is_stream: bool = False,
    ) -> None:
        self.status = status
        self.is_stream = is_stream
        self.session_id = ""
        self._call = call
        self._running = running
        self._first: bytes | None = None

    @classmethod
    async def of(cls, call: Call, running: _Running, session_id: str) -> ChildExchange:
        """Once the first message for it is there. Raises UpstreamError."""
        if call.request is None:
            return cls(status=202)
        first = await call.next()
        exchange = cls(call, running, is_stream=not call.is_over)
        exchange.session_id, exchange._first = session_id, first
        return exchange

    @classmethod
    def declined(cls, request: Request, why: str) -> ChildExchange:
        """As an HTTP server answers that does not speak the revision: clients fall back on it."""
        data = {"code": "mcp_not_bridged", "supported": list(mcp.SESSIONS)}
        exchange = cls(status=400)
        exchange._first = mcp.write_error(request.id, mcp.UNSUPPORTED_VERSION, why, data)
        return exchange

    async def whole(self) -> bytes | None:
        return self._first

    async def frames(self) -> AsyncIterator[Frame]:
        """As they come. Raises UpstreamError when the child ends first."""
        if self._first is not None:
            yield _frame(self._first)
        while self._call is not None and not self._call.is_over:
            yield _frame(await self._call.next())

    async def aclose(self) -> None:
        """Not read any further."""
        if self._call is not None and self._running is not None:
            await self._running.gave_up(self._call)


def _frame(message: bytes) -> Frame:
    return Frame(message, events.event(message))


def _unsent(message: str) -> UpstreamError:
    return UpstreamError(message, reason=_FAILED, sent=False)
