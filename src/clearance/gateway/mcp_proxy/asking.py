"""What an MCP server says of itself, asked by an operator: its name, its revision, its tools. Calls none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from msgspec import Struct

from clearance.config.mcp import McpServer, require_variables
from clearance.core.dialects import mcp
from clearance.core.dialects.mcp_headers import SESSION, VERSION
from clearance.core.dialects.mcp_tools import ToolSeen, seen
from clearance.errors import ConfigurationError, RequestError, SystemUnavailableError
from clearance.gateway.mcp_proxy.child_link import ChildLink
from clearance.gateway.mcp_proxy.http_link import HttpLink
from clearance.gateway.mcp_proxy.link import Link
from clearance.gateway.upstream import UpstreamClient, UpstreamError

_PATIENCE_SECONDS: Final = 20.0  # `npx` may fetch a package first
_MOST_PAGES: Final = 100
_NOT_AN_ANSWER: Final = "The MCP server answers, and not with what was asked; is it one?"


class SaidOfItself(Struct, frozen=True, kw_only=True):
    """A server by its own words, which nobody vouches for."""

    name: str
    version: str
    protocol: str
    tools: tuple[ToolSeen, ...]


async def ask(name: str, settings: McpServer) -> SaidOfItself:
    """Raises SystemUnavailableError where it does not answer, or answers nonsense."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), _link(name, settings) as link:
            return await _asked(link)
    except TimeoutError:
        raise SystemUnavailableError(f"No answer within {_PATIENCE_SECONDS:.0f} s.") from None
    except (UpstreamError, ConfigurationError) as error:
        raise SystemUnavailableError(str(error)) from None


@asynccontextmanager
async def _link(name: str, settings: McpServer) -> AsyncIterator[Link]:
    client = UpstreamClient()
    require_variables({name: settings})
    link: Link = HttpLink(client, settings) if settings.url else ChildLink(name, settings)
    try:
        yield link
    finally:
        await link.close()
        await client.close()


async def _asked(link: Link) -> SaidOfItself:
    client = {"name": "clearance", "version": version("clearance")}
    params = {"protocolVersion": mcp.SESSIONS[-1], "capabilities": {}, "clientInfo": client}
    begun, session_id = await _answer(link, "initialize", params, {})
    protocol = str(begun.get("protocolVersion", ""))
    headers = {VERSION: protocol, **({SESSION: session_id} if session_id else {})}
    exchange = await link.send(mcp.write_notification("notifications/initialized", {}), headers)
    await exchange.aclose()
    try:
        tools = await _tools(link, headers) if "tools" in (begun.get("capabilities") or {}) else ()
    finally:
        if session_id:
            await link.end(headers)
    info = begun.get("serverInfo")
    named = info if isinstance(info, dict) else {}
    return SaidOfItself(
        name=str(named.get("name", "")), version=str(named.get("version", "")), protocol=protocol, tools=tools
    )


async def _tools(link: Link, headers: dict[str, str]) -> tuple[ToolSeen, ...]:
    found: list[ToolSeen] = []
    params: dict[str, Any] = {}
    for _ in range(_MOST_PAGES):
        page, _session = await _answer(link, "tools/list", params, headers)
        listed = page.get("tools")
        found += seen(listed if isinstance(listed, list) else [])
        if not (cursor := page.get("nextCursor")):
            break
        params = {"cursor": cursor}
    return tuple(found)


async def _answer(
    link: Link, method: str, params: dict[str, Any], headers: dict[str, str]
) -> tuple[dict[str, Any], str]:
    """The result of one request, and the session it began."""
    request = mcp.Request(id=1, method=method, params=params)
    exchange = await link.send(mcp.write_request(request), headers)
    try:
        async for frame in exchange.frames():
            read = _read(frame.message)
            if isinstance(read, mcp.Response) and read.id == 1:
                if read.result is None:
                    break
                return read.result, exchange.session_id
    finally:
        await exchange.aclose()
    raise SystemUnavailableError(_NOT_AN_ANSWER)


def _read(message: bytes) -> mcp.Message | None:
    try:
        return mcp.read_message(message) if message else None
    except RequestError:
        return None
