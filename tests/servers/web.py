"""A web server on loopback that tells what it was asked, plain or with TLS."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Web:
    """`seen` are the requests that came: method, path, headers in small letters, body."""

    port: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def setup(self) -> None:
        super().setup()
        self.web.connections += 1

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that was cut off, and need not be told of
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._body()
        told = {"method": self.command, "path": self.path, "headers": headers, "body": body.decode("latin-1")}
        self.web.seen.append(told)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/big":
            return self._answer(b"x" * int(query["bytes"]))
        if url.path == "/text":
            return self._answer(query["say"].encode())
        if url.path == "/chunked":
            return self._chunked(int(query["pieces"]))
        if url.path == "/slow":
            return self._slowly(float(query["seconds"]))
        return self._answer(json.dumps(told).encode(), int(query.get("status", 200)))

    def _answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("clearance-reason", "a lie")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _slowly(self, seconds: float) -> None:
        self.send_response(200)
        self.send_header("content-length", "8")
        self.end_headers()
        self.wfile.write(b"slow")
        time.sleep(seconds)
        self.wfile.write(b"ly..")

    def _chunked(self, pieces: int) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for index in range(pieces):
            self.wfile.write(b"6\r\npiece%d\r\n" % (index % 10))
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _serve  # noqa: N815


@contextmanager
def web_server(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Web]:
    """Runs for as long as the block takes."""
    web = Web()
    server = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"web": web}))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
