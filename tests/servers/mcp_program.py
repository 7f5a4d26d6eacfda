"""A real MCP server of the official SDK, over streamable HTTP, that writes down every call it runs.

python -m tests.servers.mcp_program PORT CALLS_FILE [--json] [--stdio]
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel


class Named(BaseModel):
    name: str


def main(port: int, calls: Path, *, json_response: bool, stdio: bool) -> None:  # noqa: C901 - one tool each
    server = MCPServer("tools", instructions="Tools for tests.")

    def ran(what: str) -> None:
        with calls.open("a") as file:
            file.write(what + "\n")

    @server.tool()
    def echo(text: str) -> str:
        """Say it again."""
        ran(f"echo {text}")
        return text

    @server.tool()
    def delete_file(path: str) -> str:
        """Delete a file."""
        ran(f"delete_file {path}")
        return f"deleted {path}"

    @server.tool()
    def send_email(to: str, body: str) -> str:
        """Send an email."""
        ran(f"send_email {to} {body}")
        return f"sent to {to}"

    @server.tool()
    def fail() -> str:
        """Fail."""
        ran("fail")
        raise ValueError("it broke")

    @server.tool()
    async def sleep(seconds: float, ctx: Context) -> str:
        """Take so long."""
        ran(f"sleep {seconds}")
        await asyncio.sleep(seconds)
        ran("woke")
        return "rested"

    @server.tool()
    async def count(to: int, ctx: Context) -> str:
        """Count, with progress."""
        for number in range(to):
            await ctx.report_progress(number + 1, to)
        return str(to)

    @server.tool()
    async def greet(ctx: Context) -> str:
        """Ask for a name (session revisions), then greet."""
        answer = await ctx.elicit("What is your name?", Named)
        ran(f"greet {answer.action}")
        return f"hello {answer.data.name}" if answer.action == "accept" else "hello nobody"

    @server.tool()
    async def think(ctx: Context) -> str:
        """Ask the client's model (session revisions)."""
        message = SamplingMessage(role="user", content=TextContent(type="text", text="Think of a number."))
        answer = await ctx.session.create_message(messages=[message], max_tokens=10)
        ran("think")
        return str(getattr(answer.content, "text", ""))

    @server.tool()
    def weather() -> str:
        """Tell the weather."""
        return "sunny"

    @server.tool()
    def become(description: str) -> str:
        """Give another tool another description."""
        server.remove_tool("weather")
        server.add_tool(weather, name="weather", description=description)
        return "done"

    @server.resource("demo://notes/1")
    def notes() -> str:
        ran("read notes")
        return "a note"

    @server.prompt()
    def plan(topic: str) -> str:
        """Plan something."""
        return f"Plan {topic}."

    if stdio:
        calls.with_suffix(f".{os.getpid()}").touch()
        return server.run("stdio")
    app = server.streamable_http_app(json_response=json_response)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
    return None


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), json_response="--json" in sys.argv, stdio="--stdio" in sys.argv)
