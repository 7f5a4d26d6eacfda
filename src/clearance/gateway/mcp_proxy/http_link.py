"""The way to an MCP server that runs somewhere: streamable HTTP. The client's credential never goes along."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from clearance.config.mcp import McpServer, with_variables
from clearance.core.dialects.mcp_headers import SESSION
from clearance.gateway.mcp_proxy import events
from clearance.gateway.mcp_proxy.link import Frame
from clearance.gateway.upstream import Origin, OutRequest, Response, UpstreamClient

_JSON: Final = (b"content-type", b"application/json")
_ACCEPT: Final = (b"accept", b"application/json, text/event-stream")
_ACCEPT_EVENTS: Final = (b"accept", b"text/event-stream")
_SESSION: Final = SESSION.encode()


class HttpLink:
    """Belongs to one event loop. Serves every session with one server."""

    def __init__(self, client: UpstreamClient, settings: McpServer) -> None:
        """Raises KeyError for an environment variable that a header needs and that is not set."""
        self._client = client
        self._origin = Origin.of(settings.url)
        self._target = (urlsplit(settings.url).path or "/").encode("ascii")
        self._own = tuple(
            (name.lower().encode("ascii"), with_variables(value, os.environ).encode("latin-1"))
            for name, value in settings.headers.items()
        )

    async def send(self, message: bytes, headers: Mapping[str, str]) -> HttpExchange:
        return await self._ask(b"POST", (_JSON, _ACCEPT), headers, message)

    async def listen(self, headers: Mapping[str, str]) -> HttpExchange:
        return await self._ask(b"GET", (_ACCEPT_EVENTS,), headers)

    async def end(self, headers: Mapping[str, str]) -> int:
        exchange = await self._ask(b"DELETE", (), headers)
        await exchange.aclose()
        return exchange.status

    async def close(self) -> None:
        """The client is the door's."""

    async def _ask(
        self,
        method: bytes,
        first: tuple[tuple[bytes, bytes], ...],
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> HttpExchange:
        passed = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())
        request = OutRequest(method, self._target, (*first, *passed, *self._own), body)
        return HttpExchange(await self._client.send(self._origin, request))


class HttpExchange:
    """An answer over HTTP: one JSON value, or a stream of events."""

    def __init__(self, response: Response) -> None:
        found = dict(response.headers)
        self.status = response.status
        self.session_id = found.get(_SESSION, b"").decode("latin-1")
        kind = found.get(b"content-type", b"").partition(b";")[0].strip().lower()
        self.is_stream = kind == b"text/event-stream"
        self._is_json = kind == b"application/json"
        self._response = response

    async def frames(self) -> AsyncIterator[Frame]:
        """One for a JSON answer; none for an answer of another kind."""
        if self.is_stream:
            async for frame in events.frames(self._response):
                yield frame
        elif self._is_json:
            yield Frame(await self._response.read(events.MOST_EVENT_BYTES))
        else:
            await self._response.read(events.MOST_EVENT_BYTES)

    async def aclose(self) -> None:
        await self._response.aclose()
