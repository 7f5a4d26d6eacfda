"""The doors beside the HTTP API: which are open, and what each of them is to the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from clearance.config import Settings
from clearance.gateway.passage import Passage

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
RUN_PREFIX = "/r/"
RUN_ID = "clearance.run_id"  # where the run that a path names stands in the scope


class NetworkDoor(Protocol):
    """One door. `segments` are the first parts of the paths that it serves: raw ASGI, on the hot path."""

    segments: tuple[str, ...]

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every failure in the form that this door's clients understand."""

    async def start(self) -> None:
        """Once, on the server's loop, before anything is served. Raises ConfigurationError, OSError."""

    def check(self, settings: Settings) -> None:
        """Whether `reload` could take these up. Raises ConfigurationError; changes nothing."""

    async def reload(self, settings: Settings) -> None:
        """Take up its part of changed settings, already checked; what is under way goes on as it began."""

    async def drain(self) -> None:
        """Told to stop: take nothing new. Returns once nothing is under way."""

    async def close(self) -> None:
        """Once, when it was drained or time is up: what is under way ends here, told and recorded."""


def open_doors(passage: Passage) -> Sequence[NetworkDoor]:
    """The doors that the settings open."""
    # Here, since these modules need the names above. A door without settings is there, and closed: a reload
    # may open it.
    from clearance.gateway.egress_proxy import EgressProxy
    from clearance.gateway.mcp_proxy.door import McpDoor
    from clearance.gateway.model_proxy.door import ModelProxy

    return (ModelProxy(passage), McpDoor(passage, passage.assembly.settings.mcp), EgressProxy(passage))


def without_run(scope: Scope) -> Scope:
    """`/r/RUN/openai/…` is `/openai/…` in that run: for clients that can be given nothing but an address."""
    path: str = scope["path"]
    if not path.startswith(RUN_PREFIX):
        return scope
    run_id, slash, rest = path[len(RUN_PREFIX) :].partition("/")
    return {**scope, "path": slash + rest, RUN_ID: run_id}


def segment_of(path: str) -> str:
    """The first part of a path."""
    return path[1:].partition("/")[0]
