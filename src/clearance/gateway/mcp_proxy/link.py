"""The way to one MCP server, whatever it is made of: HTTP to a running one, or the pipes of a child."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from msgspec import Struct


class Frame(Struct, frozen=True):
    """One message of a server. `raw` is the whole event it came in, where it came in one.

    Without a message it is what keeps a stream alive: a comment, or an event that only has an id.
    """

    message: bytes
    raw: bytes = b""


class Exchange(Protocol):
    """What comes back for one message that was sent, or on a stream that was opened."""

    status: int
    is_stream: bool
    session_id: str  # given with the answer to `initialize`; empty where there is none

    async def whole(self) -> bytes | None:
        """The message of an answer that is no stream; None where it has none. Raises UpstreamError."""

    def frames(self) -> AsyncIterator[Frame]:
        """As they come. Raises UpstreamError where they break off."""

    async def aclose(self) -> None:
        """Not read any further: a server of a stateless revision takes it as a cancellation."""


class Link(Protocol):
    """Raises UpstreamError where the server cannot be reached, with `sent` False where nothing was sent."""

    async def send(self, message: bytes, headers: Mapping[str, str]) -> Exchange:
        """Send one message. `headers` are those of MCP that the client sent."""

    async def listen(self, headers: Mapping[str, str]) -> Exchange:
        """The stream of what the server says unasked, in a session."""

    async def end(self, headers: Mapping[str, str]) -> int:
        """End a session; the status to answer with."""

    async def close(self) -> None:
        """Let go, at the end of the process."""
