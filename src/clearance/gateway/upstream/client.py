"""The long-lived client: connections that are kept for each origin, bounded, watched and closed together."""

from __future__ import annotations

import asyncio
from functools import partial

from clearance.gateway.upstream.connection import Connection
from clearance.gateway.upstream.dial import Dialer
from clearance.gateway.upstream.errors import UpstreamError
from clearance.gateway.upstream.origin import Origin
from clearance.gateway.upstream.request import OutRequest, head_of
from clearance.gateway.upstream.response import Response

_IDLE_SECONDS = 15.0  # less than most servers keep an idle connection: a request seldom meets one that closes
_MOST_SWEEP_SECONDS = 1.0


class _Pool:
    """The connections to one origin. LIFO: those that are not needed grow old and are closed."""

    def __init__(self, origin: Origin, most: int) -> None:
        self.authority = origin.authority.encode("ascii")
        self.connections: set[Connection] = set()
        self.idle: list[Connection] = []
        self.users = 0
        self._most = most
        self._free = asyncio.Semaphore(most)

    async def enter(self, patience_seconds: float) -> None:
        """Wait for the right to one exchange. Raises TimeoutError."""
        self.users += 1
        try:
            if self.users > self._most:
                async with asyncio.timeout(patience_seconds):
                    await self._free.acquire()
            else:
                await self._free.acquire()
        except BaseException:
            self.users -= 1
            raise

    def leave(self) -> None:
        """The exchange is over, or never began."""
        self.users -= 1
        self._free.release()

    def kept(self) -> Connection | None:
        """One that was used before and can be again."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_silent:
                return connection
            connection.abort()
        return None

    def ended(self, connection: Connection, keep: bool) -> None:  # noqa: FBT001
        if keep:
            self.idle.append(connection)
        self.leave()

    def lost(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)


class UpstreamClient:
    """Belongs to one event loop. `most_connections` go to one origin; who finds none waits a connect timeout.

    `timeout_seconds` bounds the wait for the head, and for each piece of the body.
    """

    def __init__(
        self,
        *,
        most_connections: int = 256,
        connect_timeout_seconds: float = 5.0,
        timeout_seconds: float = 600.0,
        ca_file: str = "",
        proxy: str = "",
    ) -> None:
        self._most = most_connections
        self._patience, self._timeout = connect_timeout_seconds, timeout_seconds
        self._every = min(_MOST_SWEEP_SECONDS, timeout_seconds / 4)
        self._dialer = Dialer(timeout_seconds=connect_timeout_seconds, ca_file=ca_file, proxy=proxy)
        self._pools: dict[Origin, _Pool] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def send(self, origin: Origin, request: OutRequest) -> Response:
        """The answer, once its head is here. Raises UpstreamError; ValueError for what must not be sent.

        The other side may close a kept connection while we write to it; whether it acted on the request
        cannot be known then. Only safe methods are sent again, once, and on a fresh connection.
        """
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool(origin, self._most)
        head = head_of(request, pool.authority)
        connection = await self._take(pool, origin)
        try:
            return await _exchange(connection, head, request)
        except UpstreamError as error:
            was_kept = connection.idle_since > 0
            if (
                not was_kept
                or connection.has_answered
                or error.reason != "upstream_truncated"
                or not request.is_safe
            ):
                raise
        return await _exchange(await self._take(pool, origin, fresh=True), head, request)

    async def close(self) -> None:
        """End everything, and return when the last connection is gone."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for pool in self._pools.values():
            for connection in list(pool.connections):
                connection.fail(UpstreamError("The client was closed.", reason="upstream_truncated"))
        while any(pool.connections for pool in self._pools.values()):  # noqa: ASYNC110 - a turn or two
            await asyncio.sleep(0)

    async def _take(self, pool: _Pool, origin: Origin, *, fresh: bool = False) -> Connection:
        """A connection for one exchange, and the right to it."""
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._every, self._sweep)
        try:
            await pool.enter(self._patience)
        except TimeoutError:
            message = f"All {self._most} connections to {origin.host} are in use."
            raise UpstreamError(message, reason="upstream_too_busy", sent=False) from None
        try:
            connection = None if fresh else pool.kept()
            if connection is None:
                connection = await self._dialer.dial(origin, partial(Connection, origin.host, pool))
            if self._is_closed or not connection.is_open:
                connection.abort()
                message = f"The connection to {origin.host} was closed before it was used."
                raise UpstreamError(message, reason="connect_failed", sent=False)
        except BaseException:
            pool.leave()
            raise
        # Not when it is made: a dial that is cancelled on uvloop may never be told of the end.
        pool.connections.add(connection)
        return connection

    def _sweep(self) -> None:
        """End who waits too long and what lies idle; on the hot path nothing is timed."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for origin, pool in list(self._pools.items()):
            while pool.idle and now - pool.idle[0].idle_since > _IDLE_SECONDS:
                pool.idle.pop(0).abort()
            for connection in list(pool.connections):
                if connection.waited(now) > self._timeout:
                    connection.fail(
                        UpstreamError(f"{origin.host} was silent for too long.", reason="upstream_timeout")
                    )
            if not pool.users and not pool.connections:
                del self._pools[origin]
        self._sweeper = loop.call_later(self._every, self._sweep) if self._pools else None


async def _exchange(connection: Connection, head: bytes, request: OutRequest) -> Response:
    response = connection.exchange(head, request)
    await response.begun()
    return response
