"""A load that does not wait for answers: so many requests, or streams, begin each second whatever comes back.

Run as `python -m benchmarks.harness.paced PORT FILE`. Times count from when a request was due,
not from when a busy client got round to it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any, cast

import httptools

from benchmarks.harness.load import NUMBER
from benchmarks.harness.timing import percentiles

_MOST_SECONDS = 60.0  # for one answer


class Exchange(asyncio.Protocol):
    """One connection; one request on it at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def begin(self, request: bytes, due: float) -> asyncio.Future[tuple[float, float]]:
        """Seconds from `due` to the first byte of the body, and to its end."""
        self._parser = httptools.HttpResponseParser(self)
        self._due, self._first = due, 0.0
        self._done: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionResetError("closed"))

    def on_body(self, _: bytes) -> None:
        self._first = self._first or time.perf_counter()

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self._done.set_exception(RuntimeError(f"answered {self._parser.get_status_code()}"))
        elif not self._done.done():
            self._done.set_result((self._first - self._due, time.perf_counter() - self._due))


async def generate(port: int, load: dict[str, Any]) -> dict[str, float]:
    """`first_p50`, `first_p99`, `whole_p50`, `whole_p99` in milliseconds, and how many there were."""
    loop = asyncio.get_running_loop()
    idle: list[Exchange] = []
    taken: list[tuple[float, float]] = []

    async def one(due: float, request: bytes) -> None:
        if not idle:
            _, fresh = await loop.create_connection(Exchange, "127.0.0.1", port)
            idle.append(fresh)
        exchange = idle.pop()
        taken.append(await asyncio.wait_for(exchange.begin(request, due), _MOST_SECONDS))
        idle.append(exchange)

    requests = [each.encode() for each in load["requests"]]
    running = []
    start = time.perf_counter()
    for index in range(int(load["rate"] * load["seconds"])):
        due = start + index / load["rate"]
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running.append(
            asyncio.create_task(one(due, requests[index % len(requests)].replace(NUMBER, b"%08d" % index)))
        )
    failed = [end for end in await asyncio.gather(*running, return_exceptions=True) if end is not None]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(running)} failed: {failed[0]!r}")
    figures: dict[str, float] = {"count": len(taken)}
    for part, name in enumerate(("first", "whole")):
        shares = percentiles([round(each[part] * 1e9) for each in taken])
        figures |= {f"{name}_{share}": value / 1_000 for share, value in shares.items()}
    return figures


if __name__ == "__main__":
    import uvloop

    _load = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    print(json.dumps(uvloop.run(generate(int(sys.argv[1]), _load))))
