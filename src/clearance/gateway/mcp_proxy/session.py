"""One client's conversation with one MCP server, judged message by message. Knows no transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from clearance.core.dialects import mcp
from clearance.core.dialects.mcp import Message, Notification, Request, RequestId, Response
from clearance.core.dialects.mcp_actions import (
    FROM_CLIENT,
    FROM_SERVER,
    LISTS,
    TOOL_CALL,
    answer_action,
    client_action,
    server_action,
)
from clearance.core.dialects.mcp_headers import agree
from clearance.core.model import ActionCall, CheckResult, OutcomeStatus
from clearance.errors import ClearanceError, RequestError
from clearance.gateway.endpoint import Caller
from clearance.gateway.mcp_proxy import answers
from clearance.gateway.mcp_proxy.answers import Refusal, refusal_for, refusal_of
from clearance.gateway.mcp_proxy.clearing import Clearing
from clearance.gateway.mcp_proxy.guarded import GuardedServer
from clearance.runtime.joining import Hints


class Side(StrEnum):
    """Which end of the conversation a message goes to."""

    CLIENT = "client"
    SERVER = "server"


class Outgoing(Struct, frozen=True, kw_only=True):
    """One JSON-RPC message to send on, without a line end."""

    to: Side
    message: bytes


Tell = Callable[[bytes], Awaitable[None]]  # sends the client a notification while it waits for an answer


class _Open:
    """A request of either side that is not answered yet."""

    __slots__ = ("action_id", "is_cancelled", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.action_id = ""
        self.is_cancelled = False


class McpSession:
    """Belongs to one event loop. For a stateless revision over HTTP, one for each request will do.

    Both methods answer with what is to be sent, in order, to either side; never raise for what a message
    holds. A request that was refused is answered here and never reaches the server.
    """

    def __init__(self, server: GuardedServer, caller: Caller, hints: Hints) -> None:
        """`hints` say which run the conversation belongs to; a message's `_meta.traceparent` adds to it."""
        self._server = server
        self._caller = caller
        self._clearing = Clearing(server, caller.principal, hints)
        self._open: dict[str, _Open] = {}  # what the client asked
        self._asked: dict[str, _Open] = {}  # what the server asked

    def waits_for(self, request_id: RequestId | None) -> bool:
        """Whether a request of the client is not answered yet."""
        return request_id is not None and mcp.key_of(request_id) in self._open

    def acts(self, request_id: RequestId | None) -> bool:
        """Whether an open request of the client is an action, and not one that only asks who is there."""
        one = None if request_id is None else self._open.get(mcp.key_of(request_id))
        return one is not None and bool(one.action_id)

    async def from_client(
        self, read: Message, raw: bytes, *, headers: Mapping[str, str] | None = None, tell: Tell | None = None
    ) -> list[Outgoing]:
        """A message of the client: what it says, and as it came.

        `headers` are those of MCP, where the transport has any: they must agree with it.
        """
        try:
            if headers is not None:
                agree(read, headers)
            return await self._judged(read, raw, tell)
        except ClearanceError as error:
            return self._failed(read, error)

    async def from_server(self, message: bytes) -> list[Outgoing]:
        """A message of the server. What is no message of MCP ends here; its request stays open."""
        try:
            read = mcp.read_message(message)
        except RequestError as error:
            return self._unreadable(message, error)
        match read:
            case Response():
                return await self._answered(read, message)
            case Request():
                return await self._server_asks(read, message)
            case Notification(method=method):
                return _to_client(message) if method in FROM_SERVER else []

    async def gone(self, request_id: RequestId | None = None) -> None:
        """The client is gone: what is under way, or one of it, is recorded as unknown.

        The transport tells the server.
        """
        for one in self._taken(request_id):
            await self._clearing.told(one.action_id, OutcomeStatus.UNKNOWN, error="The client went away.")

    async def broken(
        self, code: str, message: str, *, request_id: RequestId | None = None, was_sent: bool = True
    ) -> list[Outgoing]:
        """The server is gone, or too late: every open request, or this one, is answered with this error.

        Its outcome is unknown, unless nothing was sent.
        """
        status = OutcomeStatus.UNKNOWN if was_sent else OutcomeStatus.FAILED
        told: list[Outgoing] = []
        for one in self._taken(request_id):
            await self._clearing.told(one.action_id, status, error=message)
            refusal = Refusal(code, message, action_id=one.action_id)
            told += _to_client(answers.refused(one.request, refusal))
        return told

    def _taken(self, request_id: RequestId | None) -> list[_Open]:
        """Open requests of the client, open no longer; those being decided are not sent any more."""
        keys = list(self._open) if request_id is None else [mcp.key_of(request_id)]
        taken = [self._open.pop(key) for key in keys if key in self._open]
        for one in taken:
            one.is_cancelled = True
        return taken

    async def _judged(self, read: Message, raw: bytes, tell: Tell | None) -> list[Outgoing]:
        match read:
            case Request():
                return await self._requested(read, raw, tell)
            case Response():
                return await self._client_answers(read, raw)
            case Notification(method="notifications/cancelled"):
                return await self._cancelled(read, raw)
            case Notification(method=method):
                return _to_server(raw) if method in FROM_CLIENT else []

    async def _requested(self, request: Request, raw: bytes, tell: Tell | None) -> list[Outgoing]:
        key = mcp.key_of(request.id)
        if key in self._open:
            raise RequestError("A request of this id is not answered yet.", reason="mcp_id")
        call = client_action(self._server.name, request, self._server.place)
        one = self._open[key] = _Open(request)
        if call is None:
            return _to_server(raw)
        try:
            sent = await self._cleared(one, call, raw, tell)
        except BaseException:
            self._open.pop(key, None)
            raise
        if isinstance(sent, bytes):
            return _to_server(sent)
        self._open.pop(key, None)
        return [] if one.is_cancelled else _to_client(answers.refused(request, sent))

    async def _cleared(self, one: _Open, call: ActionCall, raw: bytes, tell: Tell | None) -> bytes | Refusal:
        """What to send to the server, or why not."""
        request = one.request
        run = await self._clearing.run(request.params, call)
        call = self._clearing.in_run(call, run, request.params)
        if request.method == TOOL_CALL and (objection := self._server.objection(request.params["name"])):
            await self._server.passage.note(run, f"{call.action}: {objection.code}; the call was not sent")
            return objection
        answered = await self._clearing.answers(request.params, run)
        if isinstance(answered, Refusal):
            return answered
        result = await self._clearing.clear(call, request, tell)
        if answered.action_ids:
            await self._clearing.settle(answered, is_sent=result.allowed and not one.is_cancelled)
        if result.blocked:
            return refusal_of(result)
        one.action_id = result.action_id
        if one.is_cancelled:
            await self._clearing.told(result.action_id, OutcomeStatus.FAILED, error="Cancelled; not sent.")
            return Refusal("cancelled", "Cancelled; nothing was sent.", action_id=result.action_id)
        return _rewritten(request, raw, result, answered.values)

    async def _answered(self, response: Response, raw: bytes) -> list[Outgoing]:
        """The server's answer, as the client may see it."""
        one = None if response.id is None else self._open.pop(mcp.key_of(response.id), None)
        if one is None:
            return []  # to nothing that was asked, or cancelled since
        method, result = one.request.method, response.result
        try:
            if one.action_id:
                told = await self._clearing.result(one.action_id, one.request, response)
                if isinstance(told, Refusal):
                    return _to_client(answers.refused(one.request, told))
                return _to_client(raw if told is None else told)
            if result is None or method not in LISTS:
                return _to_client(raw)
            shown = await self._server.shown(method, result, self._caller.principal)
            return _to_client(raw if shown is result else mcp.write_result(one.request.id, shown))
        except ClearanceError as error:
            return _to_client(answers.refused(one.request, refusal_for(error)))

    async def _server_asks(self, request: Request, raw: bytes) -> list[Outgoing]:
        """Sampling, elicitation, roots: judged before the client, or the model behind it, hears of it."""
        if request.method == "ping":
            self._asked[mcp.key_of(request.id)] = _Open(request)
            return _to_client(raw)
        one = _Open(request)
        try:
            call = server_action(self._server.name, request.method, request.params, self._server.place)
            result = await self._clearing.ask(call, request.params)
        except ClearanceError as error:
            return _to_server(answers.error(request.id, refusal_for(error), code=mcp.REFUSED))
        if result.blocked:
            return _to_server(answers.error(request.id, refusal_of(result), code=mcp.REFUSED))
        one.action_id = result.action_id
        self._asked[mcp.key_of(request.id)] = one
        return _to_client(raw)

    async def _client_answers(self, response: Response, raw: bytes) -> list[Outgoing]:
        """What the client answers to the server leaves here: an action of its own."""
        one = None if response.id is None else self._asked.pop(mcp.key_of(response.id), None)
        if one is None:
            return []
        if not one.action_id:
            return _to_server(raw)
        if response.result is None:
            await self._clearing.told(one.action_id, OutcomeStatus.FAILED, error="The client declined.")
            return _to_server(raw)
        await self._clearing.told(one.action_id, OutcomeStatus.SUCCEEDED)
        method, place = one.request.method, self._server.place
        try:
            call = answer_action(self._server.name, response.result, place, method=method)
            result = await self._clearing.ask(call, one.request.params)
        except ClearanceError as error:
            return _to_server(answers.error(response.id, refusal_for(error), code=mcp.REFUSED))
        if result.blocked:
            return _to_server(answers.error(response.id, refusal_of(result), code=mcp.REFUSED))
        await self._clearing.told(result.action_id, OutcomeStatus.SUCCEEDED)
        if result.arguments is None:
            return _to_server(raw)
        return _to_server(mcp.write_result(one.request.id, result.arguments))

    async def _cancelled(self, notification: Notification, raw: bytes) -> list[Outgoing]:
        wanted = notification.params.get("requestId")
        key = mcp.key_of(wanted) if isinstance(wanted, str | int) else ""
        one = self._open.get(key)
        if one is None:
            return []
        one.is_cancelled = True
        if not one.action_id and client_action(self._server.name, one.request, None) is not None:
            return []  # it is being decided, and will not be sent
        self._open.pop(key)
        await self._clearing.told(one.action_id, OutcomeStatus.UNKNOWN, error="Cancelled by the client.")
        return _to_server(raw)

    def _failed(self, read: Message, error: ClearanceError) -> list[Outgoing]:
        """A request that could not be judged is refused; of the rest nothing is told, and nothing sent."""
        if isinstance(read, Request):
            refusal = refusal_for(error)
            is_shape = isinstance(error, RequestError)
            told = answers.error(read.id, refusal) if is_shape else answers.refused(read, refusal)
            return _to_client(told)
        if isinstance(error, RequestError):
            return _to_client(answers.error(None, refusal_for(error)))
        return []

    def _unreadable(self, message: bytes, error: RequestError) -> list[Outgoing]:
        """What a server says that cannot be read is not passed on: an answer to it says so instead."""
        request_id = mcp.request_id_of(message)
        one = None if request_id is None else self._open.get(mcp.key_of(request_id))
        if one is None:
            return []
        refusal = Refusal(error.reason, f"The server's answer cannot be read: {error}")
        return _to_client(answers.refused(one.request, refusal))


def _rewritten(request: Request, raw: bytes, result: CheckResult, answered: dict[str, Any] | None) -> bytes:
    """The same bytes where no rule changed anything."""
    if result.arguments is None and answered is None:
        return raw
    params = dict(request.params)
    if result.arguments is not None:
        params["arguments"] = result.arguments
    if answered is not None:
        params["inputResponses"] = answered
    return mcp.write_request(replace(request, params=params))


def _to_client(message: bytes) -> list[Outgoing]:
    return [Outgoing(to=Side.CLIENT, message=message)]


def _to_server(message: bytes) -> list[Outgoing]:
    return [Outgoing(to=Side.SERVER, message=message)]
