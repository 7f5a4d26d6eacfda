"""All MCP servers behind one address: tools and prompts as `SERVER__NAME`, resources by who listed them.

Judges nothing: each message goes through the session with its own server.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from msgspec import structs

from clearance.core.dialects import mcp
from clearance.core.dialects.mcp import Notification, Request, Response
from clearance.core.dialects.mcp_actions import LISTS, SEPARATOR
from clearance.core.dialects.mcp_headers import (
    METHOD,
    NAME,
    NAMED_BY,
    PARAM_PREFIX,
    SESSION,
    VERSION,
    agree,
    encoded,
)
from clearance.errors import NotFoundError, RequestError
from clearance.gateway.mcp_proxy import answers
from clearance.gateway.mcp_proxy.answers import refusal_for
from clearance.gateway.mcp_proxy.asked import Asked
from clearance.gateway.mcp_proxy.conversations import Conversations, mcp_status
from clearance.gateway.mcp_proxy.merging import merged_greeting, merged_list, owner_of
from clearance.gateway.mcp_proxy.session import McpSession, Side
from clearance.gateway.upstream import UpstreamError
from clearance.runtime.recent import Recent

_SESSIONS_KEPT: Final = 4_096
_MOST_PAGES: Final = 100  # of one server's list
_GREETINGS: Final = frozenset({"initialize", "server/discover"})
_BY_NAME: Final = frozenset({"tools/call", "prompts/get"})
_BY_URI: Final = frozenset({"resources/read", "resources/subscribe", "resources/unsubscribe"})
_TO_ALL: Final = frozenset({"logging/setLevel", "ping"})
_UNKNOWN: Final = "This MCP session is not known here; begin a new one with `initialize`."


class _Part:
    """One server's share of a conversation: its session, and the revision agreed with it."""

    def __init__(self, with_server: Conversations, session: McpSession) -> None:
        self.with_server = with_server
        self.session = session
        self.begun: dict[str, str] = {}

    def headers(self, asked: Asked, request: Request) -> dict[str, str]:
        """What this server is to be sent along with a request."""
        headers = {name: value for name, value in asked.headers.items() if name.startswith(PARAM_PREFIX)}
        if not asked.is_stateless:
            return {**headers, **self.begun}
        headers |= {VERSION: asked.headers[VERSION], METHOD: request.method}
        named = request.params.get(NAMED_BY.get(request.method, ""))
        return {**headers, NAME: encoded(named)} if isinstance(named, str) else headers


_Parts = dict[str, _Part]


class Together:
    """Belongs to one event loop."""

    def __init__(self, servers: Mapping[str, Conversations]) -> None:
        self._servers = servers
        self._sessions: Recent[_Parts] = Recent(_SESSIONS_KEPT)

    async def post(self, asked: Asked) -> None:
        """One message of a client. Raises ClearanceError."""
        agree(asked.message, asked.headers)
        try:
            await self._carried(asked)
        except RequestError as error:
            if asked.request_id is None:
                raise
            told = answers.error(asked.request_id, refusal_for(error))
            await asked.answer.body(mcp_status(told), told)

    async def _carried(self, asked: Asked) -> None:
        parts, message = self._parts(asked), asked.message
        match message:
            case Request(method=method) if method in _GREETINGS:
                await self._greeted(message, parts, asked)
            case Request(method=method) if method in LISTS or method in _TO_ALL:
                found = await self._of_all(message, parts, asked)
                result = merged_list(LISTS[method], found) if method in LISTS else {}
                await asked.answer.body(200, mcp.write_result(message.id, result))
            case Request():
                await self._to_one(message, parts, asked)
            case _:
                await self._untold(parts, asked)

    async def listen(self, asked: Asked) -> None:
        """What servers say unasked is heard at each one's own address."""
        await asked.answer.body(405)

    async def delete(self, asked: Asked) -> None:
        """End the sessions with all servers. Raises ClearanceError."""
        parts = self._parts(asked)
        self._sessions.pop(_key(asked, asked.headers.get(SESSION, "")))
        for part in parts.values():
            if SESSION in part.begun:
                await part.with_server.link.end(part.begun)
            await part.session.gone()
        await asked.answer.body(200)

    def _parts(self, asked: Asked) -> _Parts:
        if SESSION in asked.headers and not asked.is_stateless:
            known = self._sessions.get(_key(asked, asked.headers[SESSION]))
            if known is None:
                raise NotFoundError(_UNKNOWN)
            return known
        hints = asked.joined
        return {
            name: _Part(server, McpSession(server.server, asked.caller, hints))
            for name, server in self._servers.items()
        }

    async def _greeted(self, request: Request, parts: _Parts, asked: Asked) -> None:
        """Who is there: the servers that answer. A session holds those that did."""
        if request.method == "initialize":
            # One client cannot tell which of several servers asks it something: in sessions, none may.
            request = structs.replace(request, params={**request.params, "capabilities": {}})
        found = await self._of_all(request, parts, asked)
        if not found:
            raise RequestError("None of the MCP servers answered.", reason="mcp_server_failed")
        answer = asked.answer
        if request.method == "initialize":
            for name, result in found.items():
                parts[name].begun[VERSION] = str(result.get("protocolVersion", ""))
            answer.session_id = uuid.uuid4().hex
            here = {name: parts[name] for name in found}
            self._sessions.put(_key(asked, answer.session_id), here)
        await answer.body(200, mcp.write_result(request.id, merged_greeting(request.method, found)))

    async def _of_all(self, request: Request, parts: _Parts, asked: Asked) -> dict[str, dict[str, Any]]:
        """What each server answers; one that fails, or has no such list, is left out."""
        asking = [self._whole(request, part, asked) for part in parts.values()]
        found = await asyncio.gather(*asking)
        return {name: result for name, result in zip(parts, found, strict=True) if result is not None}

    async def _whole(self, request: Request, part: _Part, asked: Asked) -> dict[str, Any] | None:
        """One server's answer, with every page of its list."""
        params = {name: value for name, value in request.params.items() if name != "cursor"}
        result = await self._ask(structs.replace(request, params=params), part, asked)
        member = LISTS.get(request.method)
        if result is None or member is None:
            return result
        listed, cursor = list(result.get(member) or ()), result.get("nextCursor")
        for _ in range(_MOST_PAGES):
            if not isinstance(cursor, str):
                break
            more = structs.replace(request, params={**params, "cursor": cursor})
            page = await self._ask(more, part, asked) or {}
            listed += page.get(member) or ()
            cursor = page.get("nextCursor")
        return {**{name: value for name, value in result.items() if name != "nextCursor"}, member: listed}

    async def _ask(self, request: Request, part: _Part, asked: Asked) -> dict[str, Any] | None:
        """The result of one request to one server; None for an error, or no answer."""
        server = part.with_server
        message, headers = mcp.write_request(request), part.headers(asked, request)
        try:
            async with asyncio.timeout(server.server.settings.timeout_seconds):
                for one in await part.session.from_client(request, message, headers=headers):
                    if one.to is Side.CLIENT:
                        return None
                    exchange = await server.link.send(one.message, headers)
                    if exchange.session_id and asked.begins:
                        part.begun[SESSION] = exchange.session_id
                    try:
                        async for frame in exchange.frames():
                            for told in await part.session.from_server(frame.message):
                                read = mcp.read_message(told.message)
                                if isinstance(read, Response) and read.id == request.id:
                                    return read.result
                    finally:
                        await exchange.aclose()
        except (TimeoutError, UpstreamError):
            pass
        finally:
            await part.session.gone(request.id)
        return None

    async def _to_one(self, request: Request, parts: _Parts, asked: Asked) -> None:
        """To the server that it names, under the name that this server knows."""
        name, params = await self._addressed(request, parts, asked)
        part, its = parts[name], structs.replace(request, params=params)
        headers, body = part.headers(asked, its), mcp.write_request(its)
        sent = structs.replace(asked, headers=headers, body=body, message=its)
        await part.with_server.post(sent, part.session)

    async def _addressed(self, request: Request, parts: _Parts, asked: Asked) -> tuple[str, dict[str, Any]]:
        """Which server a request is for, and what it is there. Raises RequestError, NotFoundError."""
        params = request.params
        if request.method in _BY_NAME:
            server, name = _split(params.get("name"), parts)
            return server, {**params, "name": name}
        if request.method in _BY_URI:
            return await self._owner(params.get("uri"), parts, asked, mcp.meta_of(params)), params
        ref = params.get("ref") if request.method == "completion/complete" else None
        if isinstance(ref, dict) and "uri" in ref:
            return await self._owner(ref["uri"], parts, asked, mcp.meta_of(params)), params
        if isinstance(ref, dict):
            server, name = _split(ref.get("name"), parts)
            return server, {**params, "ref": {**ref, "name": name}}
        raise RequestError(
            "This method is served at the address of one server (`/mcp/SERVER`), not of all of them.",
            reason="mcp_method_unknown",
        )

    async def _owner(self, uri: object, parts: _Parts, asked: Asked, meta: dict[str, Any]) -> str:
        """The server that lists a resource, or a template that it fits."""
        listed = {}
        for method in ("resources/list", "resources/templates/list"):
            params = {"_meta": meta} if meta else {}
            request = Request(id=f"clearance-{uuid.uuid4().hex}", method=method, params=params)
            listed[LISTS[method]] = await self._of_all(request, parts, asked)
        return owner_of(uri, listed)

    async def _untold(self, parts: _Parts, asked: Asked) -> None:
        """A notification goes to every server; an answer to none, as none may ask."""
        if isinstance(asked.message, Notification):
            for part in parts.values():
                for one in await part.session.from_client(asked.message, asked.body):
                    if one.to is Side.SERVER:
                        with suppress(UpstreamError):
                            exchange = await part.with_server.link.send(one.message, part.begun)
                            await exchange.aclose()
        await asked.answer.body(202)


def _split(name: object, parts: _Parts) -> tuple[str, str]:
    server, separator, own = name.partition(SEPARATOR) if isinstance(name, str) else ("", "", "")
    if not separator or server not in parts:
        raise RequestError(
            "Here every name begins with its server's: SERVER__NAME. See the list.",
            reason="mcp_server_unknown",
        )
    return server, own


def _key(asked: Asked, session_id: str) -> str:
    return f"{asked.caller.name}\0{session_id}"
