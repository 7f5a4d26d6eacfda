"""This process's stdin and stdout as the connection of an MCP client that started it.

Nothing else may reach stdout: whatever is printed while the pipe is open goes to stderr.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from clearance.gateway.mcp_proxy.child import MOST_LINE_BYTES, Lines, one_line

_CHUNK: Final = 1 << 16
_READ_AHEAD: Final = 8  # chunks: a client that sends faster than it is judged waits in its own pipe


class ClientPipe:
    """Belongs to one event loop; one of a process."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._writing = asyncio.Lock()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(_READ_AHEAD)
        # No file, terminal or pipe can be read without waiting in the same way; a thread waits in any.
        # A daemon: nothing ends a read of stdin, and the process must not wait for it.
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="mcp-stdin", daemon=True).start()

    async def messages(self) -> AsyncIterator[bytes]:
        """Until the client closes its end, or sends a line that is too large to be a message."""
        lines = Lines()
        while chunk := await self._chunks.get():
            for line in map(bytes.strip, lines.of(chunk)):
                if line:
                    yield line
            if lines.waiting > MOST_LINE_BYTES:
                return

    async def send(self, message: bytes) -> None:
        """One message, whole. A client that is gone is told nothing."""
        async with self._writing:
            with suppress(BrokenPipeError):
                await asyncio.to_thread(_write_all, self._out, one_line(message) + b"\n")

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        chunk = b"begin"
        while chunk:
            try:
                chunk = os.read(0, _CHUNK)
            except OSError:
                chunk = b""
            try:
                asyncio.run_coroutine_threadsafe(self._chunks.put(chunk), loop).result()
            except RuntimeError:  # the loop ended while this waited
                return


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
