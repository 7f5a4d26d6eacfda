"""FastMCP's proxy before one MCP server, for `fastmcp_proxy.py PORT URL default|connected`.

`default` is `create_proxy(URL)`, which opens a client for each call; `connected` is given a client that is
connected once, and shares it among all.
"""

from __future__ import annotations

import asyncio
import sys

from fastmcp import Client
from fastmcp.server import create_proxy


async def _serve(port: int, url: str, kind: str) -> None:
    if kind == "default":
        await _run(create_proxy(url), port)
        return
    async with Client(url) as client:
        await _run(create_proxy(client), port)


async def _run(proxy: object, port: int) -> None:
    quiet = {"log_level": "error", "access_log": False}
    await proxy.run_http_async(  # type: ignore[attr-defined]
        host="127.0.0.1",
        port=port,
        stateless_http=True,
        json_response=True,
        show_banner=False,
        uvicorn_config=quiet,
    )


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
