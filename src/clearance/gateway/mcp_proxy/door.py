"""The MCP door: `/mcp/SERVER` for each configured server, `/mcp` for all. Reads HTTP, judges nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec.structs import replace

from clearance.config import Settings
from clearance.config.mcp import McpSettings, require_variables
from clearance.core.dialects import mcp
from clearance.core.dialects.mcp import STATELESS
from clearance.core.dialects.mcp_headers import SESSION, VERSION, routing_headers
from clearance.errors import AuthenticationError, ClearanceError, ForbiddenError, NotFoundError, RequestError
from clearance.gateway import body
from clearance.gateway.doors import RUN_ID, Receive, Scope, Send
from clearance.gateway.ending import Ending, StoppingError
from clearance.gateway.errors import log_unexpected
from clearance.gateway.mcp_proxy import answers
from clearance.gateway.mcp_proxy.answers import Refusal, refusal_for
from clearance.gateway.mcp_proxy.asked import LAST_EVENT, Answer, Asked
from clearance.gateway.mcp_proxy.child_link import ChildLink
from clearance.gateway.mcp_proxy.conversations import Conversations
from clearance.gateway.mcp_proxy.guarded import GuardedServer
from clearance.gateway.mcp_proxy.http_link import HttpLink
from clearance.gateway.mcp_proxy.link import Link
from clearance.gateway.mcp_proxy.measured_link import MeasuredLink
from clearance.gateway.mcp_proxy.together import Together
from clearance.gateway.passage import Passage
from clearance.gateway.presented import presented
from clearance.gateway.upstream import UpstreamClient
from clearance.runtime.joining import Hints

_SEGMENT: Final = "mcp"
_METHODS: Final = (b"allow", b"GET, POST, DELETE")
_CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="clearance"')


class McpDoor:
    """A network door. Belongs to one event loop."""

    segments: tuple[str, ...] = (_SEGMENT,)

    def __init__(self, passage: Passage, settings: McpSettings) -> None:
        """Raises ConfigurationError: a variable may be missing."""
        require_variables(settings.servers)
        self._passage = passage
        self._settings = settings
        self._leaving: set[asyncio.Task[None]] = set()
        self._servers: dict[str, Conversations] = {}
        self._together = Together(self._servers)
        self._client: UpstreamClient | None = None
        self._ending = Ending()

    async def start(self) -> None:
        self._client = UpstreamClient(timeout_seconds=3600.0)
        for name in self._settings.servers:
            self._open(name)

    def check(self, settings: Settings) -> None:
        """Raises ConfigurationError: a variable may be missing."""
        require_variables(settings.mcp.servers)

    async def reload(self, settings: Settings) -> None:
        """A server that is gone or changed finishes what it was asked; its sessions begin anew."""
        before, self._settings = self._settings.servers, settings.mcp
        for name in [name for name in before if before[name] != settings.mcp.servers.get(name)]:
            task = asyncio.create_task(_leave(self._servers.pop(name), before[name].timeout_seconds))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        for name in settings.mcp.servers.keys() - self._servers.keys():
            self._open(name)

    async def drain(self) -> None:
        """Who waits for a person is told to come back; what is with a server goes on."""
        for one in self._servers.values():
            one.server.watch.is_closing = True
        await self._ending.drain()

    async def close(self) -> None:
        """What servers were asked is answered with an error; then they are let go."""
        await self._ending.close()
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        for one in self._servers.values():
            await one.close()
        if self._client is not None:
            await self._client.close()

    def _open(self, name: str) -> None:
        assert self._client is not None
        settings = self._settings.servers[name]
        link: Link = HttpLink(self._client, settings) if settings.url else ChildLink(name, settings)
        measured = MeasuredLink(link, name, self._passage.metrics)
        server = GuardedServer(self._passage, name, settings)
        self._servers[name] = Conversations(server, measured, self._ending)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every failure is a JSON-RPC error, with the status that goes with it."""
        answer = Answer(send)
        try:
            with self._ending.answering():
                await self._serve(scope, receive, answer)
        except StoppingError as error:
            refusal = Refusal(error.reason, str(error))
            await answer.body(503, answers.error(None, refusal), (b"retry-after", b"1"))
        except AuthenticationError as error:
            await answer.body(401, answers.error(None, refusal_for(error)), _CHALLENGE)
        except ClearanceError as error:
            await answer.body(_status(error), answers.error(None, refusal_for(error)))
        except Exception as error:  # the door answers every failure; what is unexpected is logged by its kind
            log_unexpected("the MCP door", error)
            if not answer.is_begun:
                await answer.body(500, answers.inner_error(None))
            elif not answer.is_ended:
                await answer.end()  # a stream that ends without its answer: the client knows it has none

    async def _serve(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        self._check_origin(scope)
        conversations = self._conversations(scope["path"])
        asked = await self._asked(scope, receive, answer)
        match scope["method"]:
            case "POST":
                return await _post(conversations, asked)
            case "GET":
                return await conversations.listen(asked)
            case "DELETE":
                return await conversations.delete(asked)
            case _:
                refusal = Refusal("method_not_allowed", "MCP is spoken with POST, GET and DELETE.")
                return await answer.body(405, answers.error(None, refusal), _METHODS)

    def _conversations(self, path: str) -> Conversations | Together:
        name = path.removeprefix(f"/{_SEGMENT}").strip("/")
        found = self._servers.get(name) if name else self._together
        if found is None:
            raise NotFoundError("No MCP server of this name is configured; see `clearance mcp list`.")
        return found

    def _check_origin(self, scope: Scope) -> None:
        """A page that a browser was lured to must not speak to servers behind it (DNS rebinding)."""
        for name, value in scope["headers"]:
            if name == b"origin" and value.decode("latin-1") not in self._settings.origins:
                raise ForbiddenError("Pages of this origin may not use MCP here; see `origins` under `mcp:`.")

    async def _asked(self, scope: Scope, receive: Receive, answer: Answer) -> Asked:
        caller = await self._passage.identify(presented(scope))
        headers = routing_headers(scope["headers"])
        if headers.get(VERSION) in STATELESS:
            headers.pop(SESSION, None)  # it means nothing there, and might be another agent's
        found = {name: value for name, value in scope["headers"] if name in _HINTS}
        if LAST_EVENT.encode() in found:
            headers[LAST_EVENT] = found[LAST_EVENT.encode()].decode("latin-1")
        raw = b""
        if scope["method"] == "POST":
            if found.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
                raise RequestError("MCP is sent as application/json.", reason="mcp_media_type")
            raw = await body.read(receive)
        return Asked(
            caller=caller,
            headers=headers,
            hints=Hints(
                run_id=scope.get(RUN_ID, "") or found.get(b"clearance-run", b"").decode("latin-1"),
                traceparent=found.get(b"traceparent", b"").decode("latin-1"),
            ),
            receive=receive,
            answer=answer,
            body=raw,
        )


_HINTS: Final = frozenset({b"content-type", b"clearance-run", b"traceparent", LAST_EVENT.encode()})


async def _post(conversations: Conversations | Together, asked: Asked) -> None:
    try:
        message = mcp.read_message(asked.body)
    except RequestError as error:
        return await asked.answer.body(400, answers.unreadable(asked.body, error))
    return await conversations.post(replace(asked, message=message))


async def _leave(conversations: Conversations, after_seconds: float) -> None:
    try:
        await asyncio.sleep(after_seconds)
    finally:
        await conversations.close()


def _status(error: ClearanceError) -> int:
    match error:
        case ForbiddenError():
            return 403
        case NotFoundError():
            return 404
        case RequestError(reason="body_too_large"):
            return 413
        case RequestError(reason="mcp_media_type"):
            return 415
        case RequestError():
            return 400
        case _:
            return 503
