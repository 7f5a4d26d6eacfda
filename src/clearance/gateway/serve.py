"""`clearance serve`: opens the doors, and closes them without losing what they acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Generator
from datetime import timedelta
from importlib.metadata import version
from types import FrameType

import uvicorn

from clearance.config import Settings
from clearance.gateway.app import Application
from clearance.gateway.connection import Connection
from clearance.gateway.reload import Load
from clearance.wiring import Assembly

_MARGIN_SECONDS = 10  # in which the doors end what did not end by itself
_NOT_STARTED = 3  # the port is taken, say; uvicorn has said so
# Net allocations before each generation is collected. Requests leave no cycles behind: at the defaults a full
# collection held up every connection for 9 ms, one and a half times a second (64 connections, two cores).
_COLLECT_AFTER = (10_000, 20, 50)
# The thread that waited for the disk has to tell the loop so: at the default it may wait 5 ms for its turn.
_SWITCH_SECONDS = 0.000_5


def configured(app: Application, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves it."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Connection,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        date_header=False,
        timeout_graceful_shutdown=int(settings.drain_seconds) + _MARGIN_SECONDS,
        timeout_keep_alive=75,
    )


def create_app(
    assembly: Assembly, *, report_timeout: timedelta = timedelta(hours=1), load: Load | None = None
) -> Application:
    """The ASGI application over an open assembly, which it closes at shutdown."""
    return Application(assembly, version=version("clearance"), report_timeout=report_timeout, load=load)


def serve(assembly: Assembly, settings: Settings, *, load: Load | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way, and close the assembly.

    With `load`, changed files are taken up within a second or two, or at once on SIGHUP.
    """
    # uvicorn raises what stopped it once more when it is done; being told to stop is no failure.
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, lambda *_: None)
    app = create_app(assembly, report_timeout=timedelta(seconds=settings.report_timeout_seconds), load=load)
    # What is here by now stays; no full collection has to walk it while every connection waits.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    sys.setswitchinterval(_SWITCH_SECONDS)
    server = _Server(configured(app, settings), app)
    server.run()
    if not server.started:
        raise SystemExit(_NOT_STARTED)


class _Server(uvicorn.Server):
    """Tells the application when it is told to stop: who waits for a change need not be waited for."""

    def __init__(self, config: uvicorn.Config, app: Application) -> None:
        super().__init__(config)
        self._app = app

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """SIGHUP means: read the files again."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ValueError, RuntimeError):  # not the main thread
            loop.add_signal_handler(signal.SIGHUP, self._app.reload)
        with super().capture_signals():
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.end()
        super().handle_exit(sig, frame)
