"""A real REST server in a thread: records by path, ETags as asked for, and the faults a test switches on."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self


class RestApi:
    """`records` are bodies by path; change them as you like. `tags` says which kind of ETag is given.

    `stored` rewrites what a PUT or a POST brings, as servers do that set fields of their own. `answers` gives
    a method another status instead of doing it; `before` runs before a request is carried out.
    """

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.tags: Literal["strong", "weak", "none"] = "strong"
        self.stored: Callable[[bytes], bytes] = bytes
        self.answers: dict[str, int] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.counts: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.drip_seconds = 0.0
        self.next_id = 100
        self._server = _QuietServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def sent(self, method: str) -> list[tuple[str, dict[str, str], bytes]]:
        """(path, headers, body) of every request with this method."""
        return [(path, headers, body) for name, path, headers, body in self.seen if name == method]

    def tag(self, body: bytes) -> str:
        mark = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        return {"strong": mark, "weak": f"W/{mark}", "none": ""}[self.tags]

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.seen.append((method, path, headers, body))
        if method in self.before:
            self.before.pop(method)()
        if method in self.answers:
            return self.answers[method], {"Location": "/elsewhere"}, b""
        if path.partition("?")[0] in self.counts:
            return 200, {"Content-Type": "application/json"}, self.counts[path.partition("?")[0]]
        there = self.records.get(path)
        if method == "POST":
            new = f"{path}/{self.next_id}"
            self.next_id += 1
            self.records[new] = self.stored(body)
            return 201, {"Location": new}, b""
        if there is None and method != "PUT":
            return 404, self.headers, b""
        if not self._holds(headers, there):
            return 412, {}, b""
        if method == "PUT":
            self.records[path] = self.stored(body)
            return (204 if there is not None else 201), {}, b""
        if method == "DELETE":
            del self.records[path]
            return 204, {}, b""
        assert there is not None
        tag = {"ETag": self.tag(there)} if self.tags != "none" else {}
        return 200, {"Content-Type": "application/json", **tag, **self.headers}, there

    def _holds(self, headers: dict[str, str], there: bytes | None) -> bool:
        """If-Match compares strongly: a weak ETag never matches."""
        wanted = headers.get("if-match")
        if wanted is not None and (there is None or self.tags != "strong" or wanted != self.tag(there)):
            return False
        return not (headers.get("if-none-match") == "*" and there is not None)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, answered, content = api.answer(self.command, self.path, headers, body)
                self.send_response(status)
                for name, value in answered.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                for start in range(0, len(content), 4 if api.drip_seconds else len(content) or 1):
                    self.wfile.write(content[start : start + 4] if api.drip_seconds else content)
                    time.sleep(api.drip_seconds)

            do_GET = do_PUT = do_POST = do_DELETE = _do  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        return Handler


class _QuietServer(ThreadingHTTPServer):
    """A client that was killed while it waited is no error of the server."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet."""


def with_time(body: bytes) -> bytes:
    """What a server stores that notes when it was written."""
    return json.dumps({**json.loads(body), "updated_at": time.time_ns()}).encode()
