"""What a child writes to stderr, into our log: without secrets, and never more than a log can bear."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from clearance.core import redact

_LOG = logging.getLogger("clearance.mcp")
_MOST_LINE: Final = 2_000  # characters that are written
_MOST_READ: Final = 16_000  # bytes that are looked at: half a secret at the end of these is not written
_CHUNK: Final = 1 << 16
# A server that logs every message of a busy hour must not fill a disk.
_MOST_LINES: Final = 100
_WINDOW_SECONDS: Final = 10.0


class ChildLog:
    """One for each child."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._until = 0.0
        self._written = 0
        self._left_out = 0

    async def follow(self, stderr: asyncio.StreamReader | None) -> None:
        """Read to the end, always: a child whose stderr nobody reads stands still."""
        rest = b""
        while stderr is not None and (chunk := await stderr.read(_CHUNK)):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[:_MOST_READ]
            for line in lines:
                self._write(line)
        self._write(rest)

    def _write(self, line: bytes) -> None:
        text = redact.clean_text(line[:_MOST_READ].decode("utf-8", "replace").strip())[:_MOST_LINE]
        text = "".join(one if one.isprintable() else "\ufffd" for one in text)  # a terminal may show it
        if not text:
            return
        now = time.monotonic()
        if now >= self._until:
            self._until, self._written = now + _WINDOW_SECONDS, 0
            if self._left_out:
                _LOG.info("%s: %d lines were left out here", self._name, self._left_out)
                self._left_out = 0
        if self._written >= _MOST_LINES:
            self._left_out += 1
            return
        self._written += 1
        _LOG.info("%s: %s", self._name, text)
