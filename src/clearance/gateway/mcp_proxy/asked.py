"""One HTTP request to the MCP door, read: who asks, for what, in which run. And how it is answered."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from clearance.core.dialects.mcp import STATELESS, Message, Notification, Request, RequestId
from clearance.core.dialects.mcp_headers import SESSION, VERSION
from clearance.gateway.doors import Receive, Send
from clearance.gateway.endpoint import Caller
from clearance.gateway.mcp_proxy import events
from clearance.runtime.joining import Hints

LAST_EVENT: Final = "last-event-id"
_JSON: Final = (b"content-type", b"application/json")
_EVENTS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


NOTHING: Final = Notification(method="", params={})  # what a GET or a DELETE says


class Asked(Struct, frozen=True, kw_only=True):
    """`headers` are those of MCP; `hints` say which run, as far as the transport knows.

    `body` is the message as it came, and `message` what it says.
    """

    caller: Caller
    headers: Mapping[str, str]
    hints: Hints
    receive: Receive
    answer: Answer
    body: bytes = b""
    message: Message = NOTHING

    @property
    def request_id(self) -> RequestId | None:
        """Under which it is answered; None for what asks for no answer."""
        return self.message.id if isinstance(self.message, Request) else None

    @property
    def is_stateless(self) -> bool:
        """Whether the request stands alone: its revision has no sessions."""
        return self.headers.get(VERSION) in STATELESS

    @property
    def begins(self) -> bool:
        """Whether it may be the first message of a session."""
        return SESSION not in self.headers and not self.is_stateless

    @property
    def joined(self) -> Hints:
        """In which run a conversation that begins here is: all of a session are in one.

        Without a session only its agent tells what belongs together: so a held call finds its run.
        """
        is_session = self.begins and self._asks_for("initialize")
        key = f"mcp:{uuid.uuid4().hex}" if is_session else "mcp"
        return replace(self.hints, keys=(*self.hints.keys, key))

    @property
    def listens(self) -> bool:
        """Whether it opens a stream that stays open until somebody closes it."""
        return self._asks_for("subscriptions/listen")

    def _asks_for(self, method: str) -> bool:
        return isinstance(self.message, Request) and self.message.method == method


class Answer:
    """The HTTP answer to one request: a body at once, or a stream that is begun with the first event."""

    def __init__(self, send: Send, session_id: str = "") -> None:
        self._send = send
        self.session_id = session_id
        self.is_begun = False
        self.is_ended = False

    async def body(self, status: int, body: bytes = b"", *headers: tuple[bytes, bytes]) -> None:
        """All of it."""
        self.is_begun = self.is_ended = True
        kind = (_JSON,) if body else ()
        length = (b"content-length", b"%d" % len(body))
        found = [*kind, length, *self._session(), *headers]
        await self._send({"type": "http.response.start", "status": status, "headers": found})
        await self._send({"type": "http.response.body", "body": body})

    async def event(self, event: bytes) -> None:
        """One event of a stream."""
        await self.begin()
        await self._send({"type": "http.response.body", "body": event, "more_body": True})

    async def tell(self, message: bytes) -> None:
        """One message, before the one that answers."""
        await self.event(events.event(message))

    async def begin(self) -> None:
        """The head of a stream, once."""
        if not self.is_begun:
            self.is_begun = True
            found = [*_EVENTS, *self._session()]
            await self._send({"type": "http.response.start", "status": 200, "headers": found})

    async def end(self) -> None:
        """The end of a stream."""
        self.is_ended = True
        await self._send({"type": "http.response.body", "body": b""})

    def _session(self) -> list[tuple[bytes, bytes]]:
        return [(b"mcp-session-id", self.session_id.encode("latin-1"))] if self.session_id else []
