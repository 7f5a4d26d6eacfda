"""An MCP server that costs next to nothing: a tool with a canned result, raw asyncio and httptools on uvloop.

Speaks the revision of 2026-07-28, which knows no sessions. Run as `python -m benchmarks.harness.mcp_upstream
--port N`; the tool is TOOL, and a result is 1 KB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any, cast

import httptools
import msgspec

TOOL = "lookup"
REVISION = "2026-07-28"
_SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "note": {"type": "string"}},
    "required": ["order"],
}
_TEXT = "The order was paid, packed and handed to the carrier. " * 17
_CACHED = {"ttlMs": 600_000, "cacheScope": "private"}
_COMPLETE = {"resultType": "complete"}
_RESULTS: dict[str, dict[str, Any]] = {
    "server/discover": {
        "supportedVersions": [REVISION],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bench", "version": "1"},
    }
    | _CACHED
    | _COMPLETE,
    "tools/list": {"tools": [{"name": TOOL, "description": "Looks an order up.", "inputSchema": _SCHEMA}]}
    | _CACHED
    | _COMPLETE,
    "tools/call": {"content": [{"type": "text", "text": _TEXT}], "isError": False} | _COMPLETE,
}


class _Asked(msgspec.Struct):
    method: str
    id: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(_Asked)
_ENCODED = {method: json.dumps(result, separators=(",", ":")).encode() for method, result in _RESULTS.items()}
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_UNKNOWN = b'"error":{"code":-32601,"message":"unknown here"}'


class Tools(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        self._transport.write(_answer(body))


def _answer(body: bytes) -> bytes:
    asked = _DECODER.decode(body)
    if not asked.id:
        return _ACCEPTED
    result = _ENCODED.get(asked.method)
    member = _UNKNOWN if result is None else b'"result":' + result
    value = b'{"jsonrpc":"2.0","id":' + bytes(asked.id) + b"," + member + b"}"
    status = b"404 Not Found" if result is None else b"200 OK"
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(value)) + value


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Tools, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    asked = argparse.ArgumentParser()
    asked.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(asked.parse_args().port))
