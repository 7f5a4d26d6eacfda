"""The conversations with one MCP server over HTTP: each request to its session, each answer through it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from clearance.core.dialects import mcp
from clearance.core.dialects.mcp_headers import SESSION
from clearance.errors import NotFoundError, RequestError
from clearance.gateway.departure import ClientGone, WhileHere
from clearance.gateway.ending import Ending, StoppingError
from clearance.gateway.mcp_proxy import events
from clearance.gateway.mcp_proxy.asked import Answer, Asked
from clearance.gateway.mcp_proxy.guarded import GuardedServer
from clearance.gateway.mcp_proxy.link import Exchange, Link
from clearance.gateway.mcp_proxy.session import McpSession, Side
from clearance.gateway.upstream import UpstreamError
from clearance.runtime.recent import Recent

_SESSIONS_KEPT: Final = 16_384
_FAILED: Final = "mcp_server_failed"
_NO_SESSION: Final = "This MCP session is not known here; begin a new one with `initialize`."
_TOO_LATE: Final = "mcp_server_late"
_STOPPING: Final = "shutting_down"
_STOPPED: Final = "Clearance stopped before the MCP server answered; whether it did anything is not known."
_LATE: Final = "The MCP server did not answer in time; whether it did anything is not known."


class Conversations:
    """Belongs to one event loop. A session is its agent's: to another it does not exist."""

    def __init__(self, server: GuardedServer, link: Link, ending: Ending) -> None:
        self.server = server
        self.link = link
        self._ending = ending
        self._sessions: Recent[McpSession] = Recent(_SESSIONS_KEPT)

    async def post(self, asked: Asked, session: McpSession | None = None) -> None:
        """One message of a client, and what comes of it. Raises ClearanceError.

        `session` where it is known already.
        """
        session = session or self._session(asked)
        if not asked.is_stateless:  # there, a client that goes away may come back for the answer
            return await self._exchanged(session, asked)
        try:
            async with WhileHere(asked.receive):
                await self._exchanged(session, asked)
        except ClientGone:
            await session.gone(asked.request_id)

    async def listen(self, asked: Asked) -> None:
        """The stream of what the server says unasked. Raises ClearanceError."""
        session = self._session(asked)
        exchange = await self.link.listen(asked.headers)
        answer = asked.answer
        if not exchange.is_stream:
            await exchange.aclose()
            await answer.body(exchange.status if exchange.status >= 400 else 502)
            return
        await answer.begin()
        try:
            with suppress(UpstreamError, ClientGone), self._ending.may_end(at_once=True):
                async with WhileHere(asked.receive):
                    await self._streamed(exchange, session, asked)
        finally:
            await exchange.aclose()
        with suppress(OSError):
            await answer.end()

    async def delete(self, asked: Asked) -> None:
        """End a session. Raises ClearanceError."""
        session = self._session(asked)
        status = await self.link.end(asked.headers)
        if status < 400:
            self._sessions.pop(_key(asked))
            await session.gone()
        await asked.answer.body(status)

    async def close(self) -> None:
        await self.link.close()

    def _session(self, asked: Asked) -> McpSession:
        """Raises NotFoundError for one that is not known here: the client is to begin anew."""
        if SESSION in asked.headers and not asked.is_stateless:
            session = self._sessions.get(_key(asked))
            if session is None:
                raise NotFoundError(_NO_SESSION)
            return session
        return McpSession(self.server, asked.caller, asked.joined)

    async def _exchanged(self, session: McpSession, asked: Asked) -> None:
        outgoing = await session.from_client(
            asked.message, asked.body, headers=asked.headers, tell=asked.answer.tell
        )
        if not outgoing:
            return await _finish(asked.answer)
        if outgoing[0].to is Side.CLIENT:
            return await _finish(asked.answer, outgoing[0].message)
        exchange: Exchange | None = None
        try:
            with self._ending.may_end(at_once=asked.listens):
                async with asyncio.timeout(self.server.settings.timeout_seconds) as patience:
                    exchange = await self.link.send(outgoing[0].message, asked.headers)
                    if asked.listens:
                        patience.reschedule(None)
                    await self._answered(exchange, session, asked, patience)
        except (TimeoutError, StoppingError) as error:
            if exchange is not None:
                await exchange.aclose()
            await self._cancel(asked)
            is_late = isinstance(error, TimeoutError)
            code, why = (_TOO_LATE, _LATE) if is_late else (_STOPPING, _STOPPED)
            await self._broken(session, asked, code, why)
        except UpstreamError as error:
            await self._broken(session, asked, _FAILED, str(error), was_sent=error.sent)
        except Exception:
            await session.gone(asked.request_id)  # whatever it is, nothing stays open
            raise
        finally:
            if exchange is not None:
                await exchange.aclose()

    async def _answered(
        self, exchange: Exchange, session: McpSession, asked: Asked, patience: asyncio.Timeout
    ) -> None:
        answer = asked.answer
        if exchange.session_id and asked.begins:
            answer.session_id = exchange.session_id
            self._sessions.put(_key(asked, exchange.session_id), session)
        if exchange.is_stream:
            await answer.begin()
            can_resume = await self._streamed(exchange, session, asked, patience)
            if can_resume and not asked.is_stateless and session.waits_for(asked.request_id):
                await answer.end()  # the client asks for the rest, by the id of the last event
                return
        elif (came := await exchange.whole()) is not None:
            if told := await self._received(came, session, asked):
                await _finish(answer, *told, status=exchange.status)
                return
            may_decline = session.waits_for(asked.request_id) and not session.acts(asked.request_id)
            if exchange.status >= 400 and may_decline:
                await self._declined(exchange.status, came, session, asked)
                return
        if session.waits_for(asked.request_id):
            if exchange.status == 404 and SESSION in asked.headers:
                self._sessions.pop(_key(asked))
                await session.gone()
                raise NotFoundError(_NO_SESSION)
            why = f"The MCP server answered with HTTP {exchange.status}, and not to the request."
            await self._broken(session, asked, _FAILED, why)
        elif not answer.is_ended:
            await _finish(answer, status=exchange.status)

    async def _declined(self, status: int, message: bytes, session: McpSession, asked: Asked) -> None:
        """The server does not speak this revision: its client has to see how it says so, to fall back."""
        await session.gone(asked.request_id)
        try:
            error = mcp.read_message(message)
        except RequestError:
            return await asked.answer.body(status)
        is_error = isinstance(error, mcp.Response) and error.error is not None
        return await asked.answer.body(status, message if is_error else b"")

    async def _streamed(
        self,
        exchange: Exchange,
        session: McpSession,
        asked: Asked,
        patience: asyncio.Timeout | None = None,
    ) -> bool:
        """Each event as it comes, the same bytes where its message is the same. Whether any had an id."""
        answer, has_id = asked.answer, False
        loop, seconds = asyncio.get_running_loop(), self.server.settings.timeout_seconds
        async for frame in exchange.frames():
            if patience is not None and patience.when() is not None:  # between two of them
                patience.reschedule(loop.time() + seconds)
            has_id = has_id or events.has_id(frame.raw)
            if not frame.message:
                await answer.event(frame.raw)
                continue
            for message in await self._received(frame.message, session, asked):
                is_same = message is frame.message
                await answer.event(frame.raw if is_same else events.with_data(frame.raw, message))
        return has_id

    async def _received(self, message: bytes, session: McpSession, asked: Asked) -> list[bytes]:
        """What of a message goes to the client. What goes back to the server is sent here."""
        outgoing = await session.from_server(message)
        for one in outgoing:
            if one.to is Side.SERVER:
                await self._send_back(one.message, asked)
        return [one.message for one in outgoing if one.to is Side.CLIENT]

    async def _send_back(self, message: bytes, asked: Asked) -> None:
        with suppress(UpstreamError):  # the server waits for it in vain, and says so on its stream
            exchange = await self.link.send(message, asked.headers)
            await exchange.aclose()

    async def _cancel(self, asked: Asked) -> None:
        """In a session, a stream that closes cancels nothing."""
        if asked.request_id is not None and not asked.is_stateless:
            params = {"requestId": asked.request_id, "reason": "It took too long."}
            await self._send_back(mcp.write_notification("notifications/cancelled", params), asked)

    async def _broken(
        self, session: McpSession, asked: Asked, code: str, message: str, *, was_sent: bool = True
    ) -> None:
        told = await session.broken(code, message, request_id=asked.request_id, was_sent=was_sent)
        await _finish(asked.answer, *(one.message for one in told), status=200)


async def _finish(answer: Answer, *messages: bytes, status: int = 0) -> None:
    """What ends the request: the rest of its stream where that is begun, else the whole body."""
    if not answer.is_begun:
        message = messages[0] if messages else b""
        await answer.body(status or mcp_status(message), message)
        return
    for message in messages:
        await answer.event(events.event(message))
    await answer.end()


def mcp_status(message: bytes) -> int:
    """With which HTTP status a message that was made here goes out."""
    if not message:
        return 202
    read = mcp.read_message(message)
    error = read.error if isinstance(read, mcp.Response) else None
    return 200 if error is None else mcp.HTTP_STATUS.get(error["code"], 200)


def _key(asked: Asked, session_id: str = "") -> str:
    return f"{asked.caller.name}\0{session_id or asked.headers[SESSION]}"
