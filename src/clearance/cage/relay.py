"""Carries connections from inside to where they are meant to go, on a thread. Reads none of them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence

from clearance.cage.plan import Listen

_CHUNK = 65_536


class Relay:
    """Each listening socket belongs to the namespace that it was made in; this end accepts from it."""

    def __init__(self, listening: Sequence[tuple[Listen, socket.socket]]) -> None:
        self._listening = listening
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="clearance-relay", daemon=True)

    def start(self) -> None:
        """Connections that came before wait in the sockets."""
        self._thread.start()

    def close(self) -> None:
        """Breaks what is under way."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for _, one in self._listening:
            one.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        servers = [self._loop.run_until_complete(self._open(*pair)) for pair in self._listening]
        self._loop.run_forever()
        for server in servers:
            server.close()
        under_way = asyncio.all_tasks(self._loop)
        for task in under_way:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*under_way, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))  # what was aborted is closed in the next round
        self._loop.close()

    async def _open(self, to: Listen, listening: socket.socket) -> asyncio.Server:
        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ends = [writer.transport]
            try:
                far_reader, far_writer = await asyncio.open_connection(to.host, to.to_port)
                ends.append(far_writer.transport)
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
                for end in ends:
                    end.close()
            except (OSError, asyncio.CancelledError):  # one end broke, or the relay is being closed
                for end in ends:
                    end.abort()

        return await asyncio.start_server(carry, sock=listening)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, and its end."""
    while part := await reader.read(_CHUNK):
        writer.write(part)
        await writer.drain()
    writer.write_eof()
