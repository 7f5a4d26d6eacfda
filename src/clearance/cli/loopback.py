"""Waits on loopback for the browser to come back with a code (RFC 8252). Takes one, from this machine."""

from __future__ import annotations

import socket
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

_DONE = b"You are logged in. You may close this page.\n"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        code = query.get("code", [""])[0]
        self.send_response(200 if code else 404)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("cache-control", "no-store")
        self.end_headers()
        if code:
            self.wfile.write(_DONE)
            self.server.code = code

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the path holds the code."""


class _Server(HTTPServer):
    code = ""


class Loopback:
    """A port of 127.0.0.1 that is ours while the context lasts."""

    def __enter__(self) -> Loopback:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.server_close()

    @property
    def port(self) -> int:
        """Any that was free."""
        return int(self._server.server_address[1])

    def code(self, *, seconds: float) -> str:
        """The code, or nothing when nobody came in time."""
        deadline = time.monotonic() + seconds
        while not self._server.code and (left := deadline - time.monotonic()) > 0:
            self._server.timeout = left
            self._server.handle_request()
        return self._server.code
