"""The `mcp` SDK as a proxy before one MCP server, for `mcp_sdk_proxy.py PORT URL`.

Its own server and its own client, which is connected once and shared among all: the least that a proxy made
of them does.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvicorn
from mcp import Client
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings


async def _serve(port: int, url: str) -> None:
    async with Client(url) as client:

        async def listed(_: Any, params: Any) -> Any:
            return await client.session.list_tools(params=params)

        async def called(_: Any, params: Any) -> Any:
            return await client.session.call_tool(params.name, params.arguments, allow_input_required=True)

        proxy = Server("proxy", on_list_tools=listed, on_call_tool=called)
        any_host = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # the load names no port
        app = proxy.streamable_http_app(json_response=True, stateless_http=True, transport_security=any_host)
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2]))
