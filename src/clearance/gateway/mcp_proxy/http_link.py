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
        request = self._request(b"POST", (_JSON, _ACCEPT), headers, message)
        return HttpExchange(await self._client.send(self._origin, request))

    async def listen(self, headers: Mapping[str, str]) -> HttpExchange:
        request = self._request(b"GET", (_ACCEPT_EVENTS,), headers)
        return HttpExchange(await self._client.send(self._origin, request))

    async def end(self, headers: Mapping[str, str]) -> int:
        response = await self._client.send(self._origin, self._request(b"DELETE", (), headers))
        await response.aclose()
        return response.status

    async def close(self) -> None:
        """The client is the door's."""

    def _request(
        self,
        method: bytes,
        first: tuple[tuple[bytes, bytes], ...],
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> OutRequest:
        passed = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        return OutRequest(method, self._target, (*first, *passed, *self._own), body)


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

    async def whole(self) -> bytes | None:
        """The body of a JSON answer; one of another kind holds no message."""
        body = await self._response.read(events.MOST_EVENT_BYTES)
        return body if self._is_json else None

    async def frames(self) -> AsyncIterator[Frame]:
        """As they come."""
        if self.is_stream:
            async for frame in events.frames(self._response):
                yield frame
        elif (message := await self.whole()) is not None:
            yield Frame(message)

    async def aclose(self) -> None:
        await self._response.aclose()
