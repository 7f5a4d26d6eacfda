"""One MCP server as a child process: a message is a line of its stdin, a line of its stdout a message.

Knows nothing of what a message says. The child has its own process group and an environment made for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from clearance.config.mcp import McpServer, with_variables
from clearance.errors import SystemUnavailableError
from clearance.gateway.mcp_proxy.child_log import ChildLog

MOST_LINE_BYTES: Final = 32 << 20  # images travel in results, in base64
_CHUNK: Final = 1 << 16
_PASSED: Final = ("PATH", "HOME", "LANG", "TMPDIR")
# MCP, stdio transport, "Shutdown": close its input, then SIGTERM, then SIGKILL, each after a reasonable time.
_PATIENCE_SECONDS: Final = 2.0

Received = Callable[[bytes], Awaitable[None]]
Ended = Callable[[str], Awaitable[None]]


class Child:
    """Belongs to one event loop. `received` is awaited for every message, in order: while it is busy nothing
    more is read. `ended` is awaited once, with a sentence, when the child ended by itself.
    """

    def __init__(self, name: str, server: McpServer, *, received: Received, ended: Ended) -> None:
        self.name = name
        self._server = server
        self._received = received
        self._ended = ended
        self._process: Process | None = None
        self._living: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._log = ChildLog(name)

    @property
    def is_running(self) -> bool:
        """Whether messages can be sent."""
        return self._living is not None and not self._living.done()

    async def start(self) -> None:
        """Raises SystemUnavailableError: the command cannot be run, or its environment lacks something."""
        environment = environment_of(self._server, os.environ)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._server.command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=environment,
                cwd=self._server.directory or None,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise SystemUnavailableError(
                f"The MCP server {self.name} cannot be started ({type(error).__name__}): is its command"
                " installed, and its directory there?"
            ) from None
        self._living = asyncio.create_task(self._live(self._process))

    async def send(self, message: bytes) -> None:
        """One message, whole. Raises SystemUnavailableError where the child is gone."""
        if self._process is None or self._process.stdin is None or not self.is_running:
            raise SystemUnavailableError(f"The MCP server {self.name} is not running.")
        try:
            self._process.stdin.write(one_line(message) + b"\n")
            await self._process.stdin.drain()
        except (ConnectionError, RuntimeError):
            raise SystemUnavailableError(f"The MCP server {self.name} reads no more.") from None

    async def stop(self) -> None:
        """End it and all it started; returns when it is gone."""
        self._is_stopping = True
        if self._process is None or self._living is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if (await asyncio.wait([self._living], timeout=_PATIENCE_SECONDS))[0]:
                break
            self._signal(sign)
        await asyncio.wait([self._living], timeout=_PATIENCE_SECONDS)
        self._living.cancel()  # a receiver that never came back
        await asyncio.gather(self._living, return_exceptions=True)

    async def _live(self, process: Process) -> None:
        """Until its output is closed: nothing can be asked of it any more, whatever it still does."""
        logging = asyncio.create_task(self._log.follow(process.stderr))
        try:
            why = await self._read(process)
            if not (why or self._is_stopping):
                await asyncio.wait([logging], timeout=_PATIENCE_SECONDS)
        finally:
            self._signal(signal.SIGKILL)  # what its command started may outlive the command
        # The loop keeps a process until its pipes are read to their ends; one who left the group may hold
        # them open for ever.
        last = [logging, asyncio.create_task(_drop(process.stdout)), asyncio.create_task(process.wait())]
        for task in (await asyncio.wait(last, timeout=_PATIENCE_SECONDS))[1]:
            task.cancel()
        if not self._is_stopping:
            await self._ended(why or f"The MCP server {self.name} ended (exit code {process.returncode}).")

    async def _read(self, process: Process) -> str:
        """Until its stdout ends; why nothing more is read where that was not the end."""
        assert process.stdout is not None
        lines = Lines()
        while chunk := await process.stdout.read(_CHUNK):
            for line in map(bytes.strip, lines.of(chunk)):
                if line:
                    await self._received(line)
            if lines.waiting > MOST_LINE_BYTES:
                return f"The MCP server {self.name} sent a message larger than {MOST_LINE_BYTES} bytes."
        return ""

    def _signal(self, sign: signal.Signals) -> None:
        """To the whole group: `npx` starts a shell that starts the server."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, sign)


async def _drop(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(_CHUNK):
        pass


class Lines:
    """Bytes as they come, into lines. What is no line yet waits, without being searched again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.waiting = 0

    def of(self, chunk: bytes) -> Sequence[bytes]:
        """The lines that the chunk ends."""
        first, *more = chunk.split(b"\n")
        self._parts.append(first)
        self.waiting += len(first)
        if not more:
            return ()
        lines = [b"".join(self._parts), *more[:-1]]
        self._parts, self.waiting = [more[-1]], len(more[-1])
        return lines


def one_line(message: bytes) -> bytes:
    """JSON has no line end inside a text: every one there is stands between members."""
    if b"\n" in message or b"\r" in message:
        return message.replace(b"\r", b" ").replace(b"\n", b" ")
    return message


def environment_of(server: McpServer, ours: Mapping[str, str]) -> dict[str, str]:
    """What a child sees of our environment: what programs need to run, and what its settings name.

    Raises SystemUnavailableError for a name that is not set: a server without its key fails later, and worse.
    """
    seen = {name: ours[name] for name in _PASSED if name in ours}
    for name, value in server.env.items():
        try:
            seen[name] = with_variables(value, ours)
        except KeyError as missing:
            raise SystemUnavailableError(
                f"The MCP server's `env` needs the environment variable {missing.args[0]}, which is not set."
            ) from None
    return seen
