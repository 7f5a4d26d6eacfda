"""Whom each message of a child is for. Bookkeeping only: sends nothing and judges nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from clearance.core.dialects import mcp
from clearance.core.dialects.mcp import Message, Notification, Request, RequestId, Response, key_of, meta_of
from clearance.errors import RequestError
from clearance.gateway.upstream import UpstreamError

_MOST_UNREAD: Final = 1_000  # messages
_CANCELLED: Final = "notifications/cancelled"
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_PROGRESS: Final = "progressToken"
_NO_REQUESTS: Final = "In this revision of MCP a server asks nothing of its clients."


class Call:
    """One message for the child, and what came for it. `sent` are the bytes to send."""

    def __init__(self, sent: bytes = b"", *, key: str = "", request: Request | None = None) -> None:
        self.sent = sent
        self.key = key
        self.request = request  # as its client sent it
        self.is_over = False  # everything that came was read, and nothing more will
        self._is_answered = False
        self._came: asyncio.Queue[bytes | UpstreamError] = asyncio.Queue()

    async def next(self) -> bytes:
        """The next message. Raises UpstreamError where none will come."""
        came = await self._came.get()
        if isinstance(came, UpstreamError):
            self.is_over = True
            raise came
        self.is_over = self._is_answered and self._came.empty()
        return came

    def give(self, message: bytes, *, last: bool = False) -> None:
        """A client that reads nothing keeps nobody else waiting, and fills no memory."""
        if self._came.qsize() >= _MOST_UNREAD:
            self.fail("The client left too much unread.")
        else:
            self._is_answered = self._is_answered or last
            self._came.put_nowait(message)

    def fail(self, why: str) -> None:
        """Nothing more will come."""
        if not self._is_answered:
            self._is_answered = True
            self._came.put_nowait(UpstreamError(why, reason="mcp_server_failed"))


class Switchboard:
    """Of one child. A shared one has clients that know nothing of each other: their ids become ours."""

    def __init__(self, *, is_shared: bool) -> None:
        self._is_shared = is_shared
        self._open: dict[str, Call] = {}  # requests by the id that the child knows them by, oldest first
        self._listener: Call | None = None
        self._kept: deque[bytes] = deque(maxlen=_MOST_UNREAD)  # for a listener that is not there yet
        self._numbered = 0

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for the child."""
        return bool(self._open) or self._listener is not None

    def opened(self, read: Message, raw: bytes) -> Call:
        """What to send for a client's message; what comes for it is given to the call."""
        if not isinstance(read, Request):
            return Call(raw)
        if not self._is_shared:
            call = Call(raw, key=key_of(read.id), request=read)
        else:
            self._numbered += 1
            sent = replace(read, id=self._numbered, params=_with_token(read.params, self._numbered))
            call = Call(mcp.write_request(sent), key=key_of(self._numbered), request=read)
        self._open[call.key] = call
        return call

    def listening(self) -> Call | None:
        """The stream of what nobody asked for; None where there is one already."""
        if self._listener is not None:
            return None
        self._listener = Call()
        while self._kept:
            self._listener.give(self._kept.popleft())
        return self._listener

    def forgotten(self, call: Call) -> bytes:
        """Nobody reads on. What tells the child so, where that is how a request is cancelled."""
        if call is self._listener:
            self._listener = None
        if self._open.pop(call.key, None) is None or not self._is_shared:
            return b""
        return mcp.write_notification(_CANCELLED, {"requestId": int(call.key[1:])})

    def received(self, message: bytes) -> bytes:
        """Give a message of the child to whom it is for. What to answer the child, if anything."""
        try:
            read = mcp.read_message(message)
        except RequestError:
            self._unreadable(message)
            return b""
        match read:
            case Response():
                self._answered(read, message)
            case Notification():
                self._told(read, message)
            case Request() if self._is_shared:
                return mcp.write_error(read.id, mcp.METHOD_NOT_FOUND, _NO_REQUESTS)
            case Request():
                self._to_anyone(message)
        return b""

    def fail(self, why: str) -> None:
        """The child is gone."""
        for call in (*self._open.values(), *([self._listener] if self._listener else [])):
            call.fail(why)
        self._open.clear()
        self._listener = None

    def _answered(self, response: Response, raw: bytes) -> None:
        call = None if response.id is None else self._open.pop(key_of(response.id), None)
        if call is not None:
            call.give(self._as_asked(call, response, raw), last=True)

    def _told(self, told: Notification, raw: bytes) -> None:
        """A notification names its request by a token or a subscription, or is for anyone."""
        token, subscription = told.params.get(_PROGRESS), meta_of(told.params).get(_SUBSCRIPTION)
        if not self._is_shared:
            named = next(
                (one for one in self._open.values() if token is not None and _token_of(one) == token), None
            )
            return named.give(raw) if named is not None else self._to_anyone(raw)
        call = self._of_number(token if token is not None else subscription)
        if call is None or call.request is None:
            return None  # nothing says whose it is: it may be another agent's
        params = dict(told.params)
        if token is not None:
            params[_PROGRESS] = _token_of(call)
        else:
            params["_meta"] = {**meta_of(params), _SUBSCRIPTION: call.request.id}
        return call.give(mcp.write_notification(told.method, params))

    def _to_anyone(self, message: bytes) -> None:
        """Of one client, then: to what it asked last, or its listener."""
        call = next(reversed(self._open.values()), self._listener)
        if call is None:
            self._kept.append(message)
        else:
            call.give(message)

    def _unreadable(self, message: bytes) -> None:
        """For the judge, who answers in its place; without an id it is nobody's."""
        request_id = mcp.request_id_of(message)
        call = None if request_id is None else self._open.pop(key_of(request_id), None)
        if call is not None and not self._is_shared:
            call.give(message, last=True)
        elif call is not None:
            call.fail("The MCP server's answer cannot be read.")

    def _of_number(self, number: object) -> Call | None:
        return self._open.get(key_of(number)) if isinstance(number, int) else None

    def _as_asked(self, call: Call, response: Response, raw: bytes) -> bytes:
        """The answer under the id that its client chose."""
        if not self._is_shared or call.request is None:
            return raw
        if response.result is None:
            answer = {"jsonrpc": "2.0", "id": call.request.id, "error": response.error}
            return msgspec.json.encode(answer)
        result = response.result
        if _SUBSCRIPTION in meta_of(result):
            result = {**result, "_meta": {**meta_of(result), _SUBSCRIPTION: call.request.id}}
        return mcp.write_result(call.request.id, result)


def _token_of(call: Call) -> RequestId | None:
    return meta_of(call.request.params).get(_PROGRESS) if call.request is not None else None


def _with_token(params: dict[str, Any], number: int) -> dict[str, Any]:
    if _PROGRESS not in meta_of(params):
        return params
    return {**params, "_meta": {**meta_of(params), _PROGRESS: number}}
