"""A scripted language model behind the true wire formats: HTTP/1.1 on loopback, in a thread of its own.

`ScriptedModel()` speaks Chat Completions, Responses, Messages, embeddings and models, Azure's paths too. It
answers with what `say` was given, in order; when nothing is left, with the last function or with "Hello.".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from clearance.core.dialects.answer import Dialect
from tests.servers.model_wire import Turn, Wire, body, dumped, error_body, events

__all__ = ["Asked", "ScriptedModel", "Turn", "Wire", "scripted_model"]

MOST_BODY = 64 * 2**20
MODELS = ("scripted-1", "scripted-2")
_DIALECTS = {
    "/chat/completions": Dialect.CHAT,
    "/responses": Dialect.RESPONSES,
    "/messages": Dialect.MESSAGES,
}


@dataclass
class Asked:
    """One request, as it came. `cancelled` once the client has gone before the whole answer was written."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    raw: bytes
    body: Any = None
    cancelled: bool = False


class ScriptedModel:
    """Listens from `start` until `stop`. `requests` are all that came, in order."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.port = 0
        self._turns: deque[Turn] = deque()
        self._otherwise: Callable[[Asked], Turn] = lambda _: Turn(text="Hello.")
        self._serial = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        """Without a path: OpenAI's base is `url + "/v1"`, Anthropic's is `url`."""
        return f"http://127.0.0.1:{self.port}"

    def say(self, *turns: Turn | Callable[[Asked], Turn]) -> None:
        """Answer with these turns next; a function answers whatever no turn is left for."""
        for turn in turns:
            if isinstance(turn, Turn):
                self._turns.append(turn)
            else:
                self._otherwise = turn

    def start(self) -> ScriptedModel:
        self._thread.start()
        assert self._ready.wait(10), "the scripted model did not start"
        return self

    def stop(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (asked := await _read(reader)) is not None:
                self.requests.append(asked)
                try:
                    if not await self._answer(asked, writer):
                        break
                except ConnectionError:
                    asked.cancelled = True
                    raise
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can be used again."""
        path = asked.path
        if path.endswith("/embeddings"):
            return await _send(writer, 200, _embeddings(asked.body))
        if path.endswith("/count_tokens"):
            return await _send(writer, 200, {"input_tokens": len(asked.raw) // 4})
        if found := re.search(r"/models(?:/([^/]+))?$", path):
            return await _send(writer, 200, _models(found[1], anthropic="anthropic-version" in asked.headers))
        dialect = next((kind for end, kind in _DIALECTS.items() if path.endswith(end)), None)
        if dialect is None or asked.method != "POST" or not isinstance(asked.body, dict):
            error = {"message": f"no such thing: {asked.method} {path}", "type": "invalid_request_error"}
            return await _send(writer, 404, {"error": error})
        return await self._turn(asked, dialect, writer)

    async def _turn(self, asked: Asked, dialect: Dialect, writer: asyncio.StreamWriter) -> bool:
        turn = self._turns.popleft() if self._turns else self._otherwise(asked)
        self._serial += 1
        await asyncio.sleep(turn.wait)
        if turn.status != 200:
            return await _send(writer, turn.status, error_body(dialect, turn), turn.headers)
        if turn.raw is not None:
            return await _send_raw(writer, turn.raw, turn.headers)
        model = str(asked.body.get("model", "scripted-1"))
        if not asked.body.get("stream"):
            whole = body(dialect, turn, model, serial=self._serial)
            if turn.wire.cut_after is not None:
                return await _send_half(writer, whole)
            return await _send(writer, 200, whole, turn.headers)
        wanted = (asked.body.get("stream_options") or {}).get("include_usage", False)
        frames = events(dialect, turn, model, serial=self._serial, usage=wanted)
        return await _stream(writer, frames, turn)


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    raw = await _read_body(reader, headers)
    path, _, query = target.partition("?")
    parsed = None
    with contextlib.suppress(ValueError):
        parsed = json.loads(raw) if raw else None
    return Asked(method, path, query, headers, raw, parsed)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(min(int(headers.get("content-length", "0")), MOST_BODY))
    raw = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        raw += await reader.readexactly(size)
        await reader.readline()
    while (await reader.readline()).strip():
        pass  # trailers
    return raw


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode()


async def _send(
    writer: asyncio.StreamWriter, status: int, value: Any, headers: dict[str, str] | None = None
) -> bool:
    raw = dumped(value)
    sent = {
        "content-type": "application/json",
        "content-length": str(len(raw)),
        "x-request-id": "req_scripted",
        **(headers or {}),
    }
    writer.write(_head(status, sent) + raw)
    await writer.drain()
    return True


async def _send_raw(writer: asyncio.StreamWriter, raw: bytes, headers: dict[str, str]) -> bool:
    sent = {"content-type": "application/json", "content-length": str(len(raw)), **headers}
    writer.write(_head(200, sent) + raw)
    await writer.drain()
    return True


async def _send_half(writer: asyncio.StreamWriter, value: Any) -> bool:
    raw = dumped(value)
    headers = {"content-type": "application/json", "content-length": str(len(raw))}
    writer.write(_head(200, headers) + raw[: len(raw) // 2])
    await writer.drain()
    return False


async def _stream(writer: asyncio.StreamWriter, frames: list[bytes], turn: Turn) -> bool:
    headers = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
    writer.write(_head(200, {**headers, "cache-control": "no-cache", **turn.headers}))
    for frame in frames:
        size = turn.wire.chunk or len(frame)
        for at in range(0, len(frame), size):
            part = frame[at : at + size]
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
        await asyncio.sleep(turn.delay)
        if writer.transport.is_closing():
            raise ConnectionResetError
    if turn.wire.cut_after is not None:
        return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _embeddings(asked: Any) -> dict[str, Any]:
    given = asked.get("input", "") if isinstance(asked, dict) else ""
    texts = given if isinstance(given, list) else [given]
    data = [{"object": "embedding", "index": at, "embedding": [0.25, -0.5, 1.0]} for at in range(len(texts))]
    usage = {"prompt_tokens": 4 * len(texts), "total_tokens": 4 * len(texts)}
    return {"object": "list", "data": data, "model": asked.get("model", "scripted-embed"), "usage": usage}


def _models(one: str | None, *, anthropic: bool) -> dict[str, Any]:
    listed: list[dict[str, Any]] = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        if anthropic
        else {"id": name, "object": "model", "created": 1_763_700_000, "owned_by": "scripted"}
        for name in ((one,) if one else MODELS)
    ]
    if one:
        return listed[0]
    if anthropic:
        return {"data": listed, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
    return {"object": "list", "data": listed}


@contextmanager
def scripted() -> Iterator[ScriptedModel]:
    """One that listens until the block ends."""
    model = ScriptedModel().start()
    try:
        yield model
    finally:
        model.stop()


@pytest.fixture
def scripted_model() -> Iterator[ScriptedModel]:
    """One of a test's own."""
    with scripted() as model:
        yield model
