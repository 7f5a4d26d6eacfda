"""A model provider that costs next to nothing: canned answers, raw asyncio and httptools on uvloop.

Run as `python -m benchmarks.harness.model_upstream --port N`. A body with `"stream": true` is answered with
EVENTS events, the first after FIRST_SECONDS and one every GAP_SECONDS, or every SLOW_GAP_SECONDS where it has
SLOW as well; any other with 1 KB at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any, cast

import httptools

EVENTS = 100
FIRST_SECONDS = 0.010
GAP_SECONDS = 0.010
SLOW, SLOW_GAP_SECONDS = {"user": "slow"}, 1.0
_TEXT = "The refund was settled; the customer was told. " * 17


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _answer() -> bytes:
    usage = {"prompt_tokens": 1000, "completion_tokens": 180, "total_tokens": 1180}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": _TEXT}}
    body = _json(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4o",
            "choices": [choice],
        }
        | {"usage": usage}
    )
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _events() -> list[bytes]:
    """Each in a chunk of its own."""
    frames = []
    for index in range(EVENTS):
        ends = index == EVENTS - 1
        delta = {} if ends else {"content": f" word{index}"}
        choice = {"index": 0, "delta": delta, "finish_reason": "stop" if ends else None}
        chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
        frames.append(b"data: " + _json(chunk | {"choices": [choice]}) + b"\n\n")
    frames[-1] += b"data: [DONE]\n\n"
    return [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames]


_SLOW = json.dumps(SLOW)[1:-1].encode()
_ANSWER, _EVENTS = _answer(), _events()
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Provider(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._streams = False
        self._gap = GAP_SECONDS

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        self._streams = self._streams or b'"stream":true' in piece or b'"stream": true' in piece
        self._gap = SLOW_GAP_SECONDS if _SLOW in piece else self._gap

    def on_message_complete(self) -> None:
        if self._streams:
            self._streams = False
            self._task = asyncio.get_running_loop().create_task(self._stream())
        else:
            self._transport.write(_ANSWER)

    async def _stream(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + FIRST_SECONDS
        self._transport.write(_STREAM)
        for event in _EVENTS:
            await asyncio.sleep(due - loop.time())
            if self._transport.is_closing():
                return
            self._transport.write(event)
            due += self._gap
        self._transport.write(b"0\r\n\r\n")


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    asked = argparse.ArgumentParser()
    asked.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(asked.parse_args().port))
