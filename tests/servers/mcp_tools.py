"""A real MCP server of the official SDK, over streamable HTTP, that writes down every call it runs.

python -m tests.servers.mcp_tools PORT CALLS_FILE [--json] [--stdio]
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel

from tests.servers.process import free_port

ROOT = Path(__file__).parents[2]


class Tools:
    """A running server. `calls` is what its tools ran, one line each."""

    def __init__(self, port: int, calls: Path) -> None:
        self.url = f"http://127.0.0.1:{port}/mcp"
        self._calls = calls

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@contextmanager
def mcp_tools(directory: Path, *options: str) -> Iterator[Tools]:
    """Started, and ended by its process id."""
    port, calls = free_port(), directory / f"calls-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "tests.servers.mcp_tools", str(port), str(calls), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the MCP server ended"
                time.sleep(0.05)
        yield Tools(port, calls)
    finally:
        process.kill()
        process.wait(timeout=10)


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
