"""`clearance mcp wrap --url`: stdin and stdout of this process as a client of the MCP door elsewhere.

Judges nothing: the door does. Carries each message to it and back, in the way of the message's own revision.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Raw, Struct

from clearance.config.settings import Settings
from clearance.core.dialects.mcp import INTERNAL_ERROR, VERSION_KEY, meta_of
from clearance.core.dialects.mcp_headers import METHOD, NAME, NAMED_BY, SESSION, VERSION, encoded
from clearance.errors import UnreachableError
from clearance.gateway.mcp_proxy import events
from clearance.gateway.mcp_proxy.client_pipe import ClientPipe
from clearance.gateway.mcp_proxy.wrap import until_told
from clearance.gateway.upstream import UpstreamError

_ANSWERS: Final = "application/json, text/event-stream"
_EVENTS: Final = "text/event-stream"
_UNREACHABLE: Final = "The control point did not answer; whether the MCP server did anything is not known."
_CANCELLED: Final = "notifications/cancelled"


class _Said(Struct, frozen=True):
    id: Raw = Raw()
    method: str = ""
    params: dict[str, Any] = {}
    result: Raw = Raw()


class _Begun(Struct, frozen=True):
    protocolVersion: str = ""  # noqa: N815  as it is on the wire


async def bridge(settings: Settings, name: str, *, run_id: str = "") -> None:
    """Until the client closes its end, or SIGTERM or SIGINT comes. Without a name it is all servers."""
    path = (f"/r/{quote(run_id, safe='')}" if run_id else "") + "/mcp" + (f"/{name}" if name else "")
    headers = {"authorization": f"Bearer {settings.api_key}", "accept": _ANSWERS}
    # An answer may take as long as a person or a tool needs; the client has its own patience.
    timeout = httpx.Timeout(settings.timeout_seconds, read=None)
    async with httpx.AsyncClient(base_url=settings.url, headers=headers, timeout=timeout) as http:
        carrier = _Carrier(http, path, ClientPipe())
        try:
            await until_told(carrier.carry)
        finally:
            await carrier.close()


class _Carrier:
    """One client's messages. Belongs to one event loop."""

    def __init__(self, http: httpx.AsyncClient, path: str, pipe: ClientPipe) -> None:
        self._http = http
        self._path = path
        self._pipe = pipe
        self._session: dict[str, str] = {}  # headers of the session, once there is one
        self._asked: dict[bytes, asyncio.Task[None]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def carry(self) -> None:
        """Until the client closes its end and what it asked was answered."""
        async for message in self._pipe.messages():
            said = _read(message)
            if said.method and said.id:
                self._ask(message, said)
            elif not self._cancels(said):
                await self._post(message, said)
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def close(self) -> None:
        """End the session, where there is one."""
        tasks = [*self._asked.values(), *([self._listening] if self._listening else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if SESSION in self._session:
            with suppress(httpx.HTTPError):
                await self._http.delete(self._path, headers=self._session)

    def _ask(self, message: bytes, said: _Said) -> None:
        key = bytes(said.id)
        task = asyncio.create_task(self._post(message, said))
        self._asked[key] = task
        task.add_done_callback(lambda _: self._asked.pop(key, None))

    def _cancels(self, said: _Said) -> bool:
        """Without a session, closing the answer's stream is how a request is cancelled."""
        if said.method != _CANCELLED or self._session:
            return False
        task = self._asked.get(msgspec.json.encode(said.params.get("requestId")))
        if task is not None:
            task.cancel()
        return True

    async def _post(self, message: bytes, said: _Said) -> None:
        headers = {"content-type": "application/json", **self._headers(said)}
        try:
            async with self._http.stream("POST", self._path, content=message, headers=headers) as answer:
                if said.method == "initialize" and SESSION in answer.headers:
                    self._session = {SESSION: answer.headers[SESSION]}
                async for one in _messages(answer):
                    await self._receive(one, said)
        except (httpx.HTTPError, UpstreamError, UnreachableError) as error:
            if said.id:
                why = str(error) if isinstance(error, UnreachableError) else _UNREACHABLE
                await self._pipe.send(_failed(said.id, why))

    async def _receive(self, message: bytes, said: _Said) -> None:
        if said.method == "initialize" and (begun := _read(message)).result:
            version = msgspec.json.decode(begun.result, type=_Begun).protocolVersion
            self._session = {**self._session, VERSION: version}
            self._listening = asyncio.create_task(self._listen())
        await self._pipe.send(message)

    async def _listen(self) -> None:
        """What the server says unasked. Not every one has such a stream, nor every revision."""
        with suppress(httpx.HTTPError, UpstreamError, UnreachableError):
            async with self._http.stream("GET", self._path, headers=self._session) as answer:
                if answer.is_success:
                    async for one in _messages(answer):
                        await self._pipe.send(one)

    def _headers(self, said: _Said) -> dict[str, str]:
        version = meta_of(said.params).get(VERSION_KEY)
        if not isinstance(version, str):
            return self._session
        found = {VERSION: version, METHOD: said.method}
        named = said.params.get(NAMED_BY.get(said.method, ""))
        return {**found, NAME: encoded(named)} if isinstance(named, str) else found


async def _messages(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The messages of one HTTP answer. Raises UnreachableError for an answer that holds none and should."""
    if answer.headers.get("content-type", "").startswith(_EVENTS):
        async for frame in events.frames(answer.aiter_bytes()):
            if frame.message:
                yield frame.message
        return
    body = await answer.aread()
    if _read(body) != _Said():
        yield body
    elif not answer.is_success:
        raise UnreachableError(
            f"The control point answered with HTTP {answer.status_code}: is CLEARANCE_API_KEY an agent's key,"
            " and does the control point have this MCP server?"
        )


def _read(message: bytes) -> _Said:
    try:
        return msgspec.json.decode(message, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Said()


def _failed(request_id: Raw, why: str) -> bytes:
    error = {"code": INTERNAL_ERROR, "message": why, "data": {"code": UnreachableError.code}}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "error": error})
