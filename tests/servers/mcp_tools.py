"""A running server of `mcp_program`, over streamable HTTP: what it was asked to run can be read."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.servers.process import free_port

ROOT = Path(__file__).parents[2]
PROGRAM = "tests.servers.mcp_program"


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
    command = [sys.executable, "-m", PROGRAM, str(port), str(calls), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
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
