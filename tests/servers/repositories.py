"""A git server and a package index on loopback: git's own http-backend, and an index of one wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from tests.servers.process import missing

_WHEEL = "clearance_probe-1.0-py3-none-any.whl"


def make_wheel(directory: Path) -> Path:
    """A wheel with nothing in it, that pip accepts."""
    path = directory / _WHEEL
    info = "clearance_probe-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: clearance-probe\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def make_repository(directory: Path) -> Path:
    """A bare repository `probe.git` with one commit."""
    git = shutil.which("git")
    if git is None:
        missing("git", "apt-get install git")
        raise AssertionError
    work, bare = directory / "work", directory / "probe.git"
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    for command in (
        ["init", "-q", str(work)],
        ["-C", str(work), *identity, "commit", "-q", "--allow-empty", "-m", "one"],
        ["clone", "-q", "--bare", str(work), str(bare)],
        ["-C", str(bare), "config", "http.receivepack", "true"],
    ):
        subprocess.run([git, *identity, *command], check=True, capture_output=True)
    return bare


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    root: Path

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/simple/clearance-probe/":
            return self._answer(f'<a href="/files/{_WHEEL}">{_WHEEL}</a>'.encode(), "text/html")
        if url.path == f"/files/{_WHEEL}":
            return self._answer((self.root / _WHEEL).read_bytes(), "application/zip")
        return self._git(url.path, url.query)

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _git(self, path: str, query: str) -> None:
        """CGI, as `git help http-backend` has it."""
        cgi = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "REMOTE_USER": "anybody",
        }
        body = self._body()
        done = subprocess.run(
            ["git", "http-backend"], input=body, env={**os.environ, **cgi}, capture_output=True, check=True
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        status = next((value for name, _, value in lines if name == "Status"), "200")
        self.send_response(int(status.split(" ")[0]))
        for name, _, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(parts)


@contextmanager
def repositories(directory: Path) -> Iterator[int]:
    """The port of both, for as long as the block takes."""
    make_wheel(directory)
    make_repository(directory)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"root": directory}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
