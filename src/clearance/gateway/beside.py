"""The doors beside other work of this process, on a free port of loopback. Installs no signal handler."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import uvicorn

from clearance.config import Settings
from clearance.errors import UnreachableError
from clearance.gateway.serve import configured, create_app
from clearance.wiring import Assembly

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 30.0


@contextmanager
def serving(assembly: Assembly, settings: Settings) -> Iterator[str]:
    """The doors' address. Afterwards what was under way is finished, and the assembly closed.

    Raises UnreachableError when they do not open; uvicorn has then said why.
    """
    app = create_app(assembly, report_timeout=timedelta(seconds=settings.report_timeout_seconds))
    server = uvicorn.Server(configured(app, settings))
    with socket.create_server((_LOOPBACK, 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listening],), name="clearance-doors", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://{_LOOPBACK}:{port}"
        finally:
            app.end()
            server.should_exit = True
            thread.join()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise UnreachableError("The control point did not open.")
        time.sleep(0.01)
