"""Taking connections, some at once: libuv takes one in a turn of its loop, and each turn has its commit."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

_BACKLOG = 1_024
# So many share a commit. All that wait would go through every step together: the loop would wait for clients
# and the disk as often as they for it.
_AT_ONCE = 8
_REST_SECONDS = 1.0  # without files or memory for one more
_LOG = logging.getLogger("clearance")

OnConnection = Callable[[socket.socket, str], None]


class Listener:
    """Belongs to one event loop. Made by `listen`; every connection goes to `take`, with who is behind it."""

    def __init__(self, sockets: list[socket.socket], take: OnConnection) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._take = take
        self.port: int = sockets[0].getsockname()[1]
        self._go_on()

    def close(self) -> None:
        """Take no more. What was taken goes on."""
        for each in self._sockets:
            self._loop.remove_reader(each)
            each.close()
        self._sockets = []

    def _go_on(self) -> None:
        for each in self._sockets:
            self._loop.add_reader(each, self._accept, each)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                _LOG.error("the egress proxy cannot take a connection (%s)", type(error).__name__)
                self._rest()
                return
            connection.setblocking(False)
            self._take(connection, address[0])

    def _rest(self) -> None:
        for each in self._sockets:
            self._loop.remove_reader(each)
        self._loop.call_later(_REST_SECONDS, self._go_on)


async def listen(host: str, port: int, take: OnConnection) -> Listener:
    """At every address that the host has. Raises OSError where the port is taken."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            sockets.append(socket.create_server(address, family=family, backlog=_BACKLOG))
            sockets[-1].setblocking(False)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return Listener(sockets, take)
