"""A lean HTTP/1.1 load: keep-alive connections, one request at a time on each, on one event loop.

Parses no more of an answer than its status and length. Run as `python -m benchmarks.harness.load PORT FILE`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

from benchmarks.harness.timing import percentiles

NUMBER = b"@@@@@@@@"  # becomes the number of the request, so that no two are the same
_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last is answered, until `deadline`."""

    def __init__(self, requests: list[bytes], first: int, deadline: float) -> None:
        self.nanoseconds: list[int] = []
        self.errors = 0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._turn = first
        self._deadline = deadline
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass of it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._received, 0, head)
        assert length is not None, "an answer without a length"
        if len(self._received) < head + 4 + int(length[1]):
            return
        self.nanoseconds.append(time.perf_counter_ns() - self._sent)
        self.errors += self._received[9:12] != b"200"
        self._received = b""
        if time.perf_counter() < self._deadline:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.errors += exc is not None
        self.closed.set_result(None)

    def _send(self) -> None:
        request = self._requests[self._turn % len(self._requests)]
        self._turn += 1
        self._sent = time.perf_counter_ns()
        self._transport.write(request.replace(NUMBER, b"%08d" % self._turn))


async def generate(port: int, load: dict[str, Any]) -> dict[str, float]:
    """The figures that `Server.measure` promises, and `errors`."""
    count = max(len(load["bodies"]), len(load["prefixes"]))
    requests = [_request(load, index) for index in range(count)]
    start = time.perf_counter()
    deadline = start + load["seconds"]
    loop = asyncio.get_running_loop()
    connections = []
    for index in range(load["connections"]):
        open_one = partial(Connection, requests, index, deadline)
        _, connection = await loop.create_connection(open_one, "127.0.0.1", port)
        connections.append(connection)
    await asyncio.gather(*(connection.closed for connection in connections))
    taken = [one for connection in connections for one in connection.nanoseconds]
    shares = {name: value / 1_000 for name, value in percentiles(taken).items()}
    errors = sum(connection.errors for connection in connections)
    rate = len(taken) / (time.perf_counter() - start)
    return {"rate": rate, **shares, "count": len(taken), "errors": errors}


def _request(load: dict[str, Any], index: int) -> bytes:
    body = load["bodies"][index % len(load["bodies"])].encode()
    path = load["prefixes"][index % len(load["prefixes"])] + load["path"]
    headers = "".join(f"{name}: {value}\r\n" for name, value in load["headers"])
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    import uvloop

    _load = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    print(json.dumps(uvloop.run(generate(int(sys.argv[1]), _load))))
