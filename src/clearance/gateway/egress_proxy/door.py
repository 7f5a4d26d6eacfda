"""The egress proxy: a forward HTTP proxy on a port of its own, where an agent's process reaches the world."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

from clearance.config import Settings
from clearance.gateway.egress_proxy.addresses import Addresses, Resolve
from clearance.gateway.egress_proxy.asking import Asking
from clearance.gateway.egress_proxy.authority import Authority
from clearance.gateway.egress_proxy.carrying import Carrying
from clearance.gateway.egress_proxy.conversation import Conversation
from clearance.gateway.egress_proxy.credentials import Credentials
from clearance.gateway.egress_proxy.exchange import Means
from clearance.gateway.egress_proxy.link import Arrivals
from clearance.gateway.egress_proxy.listening import Listener, listen
from clearance.gateway.egress_proxy.watch import Watch
from clearance.gateway.passage import Passage
from clearance.gateway.upstream import UpstreamClient
from clearance.wiring import MEMORY

_MOST_CONNECTIONS = 8_192
_LAST_SECONDS = 3.0  # to record what was cut off, and to tell its client
_STRANGER_SECONDS = 30.0  # for whoever has not proven who it is


class EgressProxy:
    """A `NetworkDoor` without paths: what it serves comes by its own port, `port` once it is started."""

    segments: tuple[str, ...] = ()

    def __init__(self, passage: Passage, *, resolve: Resolve | None = None) -> None:
        """`resolve` stands in for the system's resolver. Raises ConfigurationError."""
        self._passage = passage
        self._resolve = resolve
        self._conversations: dict[Conversation, asyncio.Task[None]] = {}
        self._is_draining = False
        self._arrivals = Arrivals()
        self._listener: Listener | None = None
        self._upstreams: list[UpstreamClient] = []  # the newest last; what the others began goes on
        self._take(passage.assembly.settings)

    def _take(self, settings: Settings) -> None:
        self._everything, self._settings = settings, settings.egress
        self._credentials = Credentials(self._settings.credentials)
        intercepts = bool(self._settings.intercept)
        self._authority = (
            Authority(ca_directory(self._passage.assembly.images, settings)) if intercepts else None
        )
        self.port = self._settings.port

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Nothing comes by the server's own port."""
        raise NotImplementedError

    async def start(self) -> None:
        """Raises OSError where the port is taken."""
        self._watch = Watch(self._passage.point, self._tend)
        self._asking = Asking(self._passage)
        self._watching = asyncio.create_task(self._watch.run())
        await self._open()

    async def _open(self) -> None:
        """Listen, where a port is set."""
        if self._settings.port and self._listener is None and not self._is_draining:
            host = self._settings.host or self._everything.host
            self._listener = await listen(host, self._settings.port, self._opened)
        if self._listener is not None:
            self.port = self._listener.port
            self.means = self._made()

    def _made(self) -> Means:
        settings = self._settings
        own = (self.port, self._everything.port)
        upstream = UpstreamClient(
            connect_timeout_seconds=settings.connect_timeout_seconds,
            timeout_seconds=settings.idle_timeout_seconds,
            ca_file=settings.ca_file,
        )
        self._upstreams.append(upstream)
        return Means(
            settings,
            Carrying(self._passage, self._watch),
            Addresses(settings.private, ports=settings.ports, own=own, resolve=self._resolve),
            self._credentials,
            upstream,
            self._arrivals,
        )

    def check(self, settings: Settings) -> None:
        """Raises ConfigurationError: a credential may be missing."""
        Credentials(settings.egress.credentials)

    async def reload(self, settings: Settings) -> None:
        """A request that is under way ends as it began; the next one needs a new connection."""
        before = self._settings
        if settings.egress == before:
            return
        self._take(settings)
        if (before.host, before.port) != (self._settings.host, self._settings.port):
            self._hush()
        self._let_end()
        await self._open()

    def _hush(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _let_end(self) -> None:
        for conversation in self._conversations:
            conversation.is_last = True
            if conversation.is_idle:
                conversation.link.close()

    async def drain(self) -> None:
        """No new connection, and no new request on an old one."""
        self._take_nothing_new()
        while self._conversations:
            await asyncio.wait(self._conversations.values())

    def _take_nothing_new(self) -> None:
        self._is_draining = True
        self._hush()
        self._let_end()

    async def close(self) -> None:
        """What still goes on ends here, and is told so."""
        self._take_nothing_new()
        self._watching.cancel()
        self._watch.stop_all()
        tasks = tuple(self._conversations.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(self._watching, *tasks, return_exceptions=True)
        for upstream in self._upstreams:
            await upstream.close()

    def _opened(self, connection: socket.socket, peer: str) -> None:
        if len(self._conversations) >= _MOST_CONNECTIONS:
            return connection.close()
        conversation = Conversation(peer, self._asking, self.means, self._authority)
        task = asyncio.get_running_loop().create_task(conversation.run(connection))
        self._conversations[conversation] = task
        task.add_done_callback(lambda _: self._conversations.pop(conversation))
        return None

    def _tend(self) -> None:
        """Let go of clients that keep us waiting."""
        now = asyncio.get_running_loop().time()
        for conversation in tuple(self._conversations):
            since = conversation.link.waits_since
            is_idle = since and now - since > self._settings.idle_timeout_seconds
            is_strange = not conversation.is_known and now - conversation.began > _STRANGER_SECONDS
            if is_strange or is_idle:
                conversation.link.abort()


def ca_directory(images: Path, settings: Settings) -> Path:
    """Where the certificate authority lives: in the store, or where it is told to."""
    if settings.egress.ca_directory:
        return Path(settings.egress.ca_directory)
    return (images if settings.store == MEMORY else Path(settings.store)) / "ca"
