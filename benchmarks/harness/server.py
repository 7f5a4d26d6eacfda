"""A server process on loopback, and what a load of keep-alive connections measures of it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, TextIO

from benchmarks.harness.result import ROOT

_START_SECONDS = 30.0
_WRK_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """POSTs of `bodies` in turns to `path`, one at a time on each of `connections`, for `seconds`."""

    path: str
    bodies: tuple[str, ...]
    connections: int
    seconds: int
    authorization: str = ""


class Server:
    """Runs while its context is open. The command is told its port by `--port`."""

    def __init__(self, command: list[str], environment: dict[str, str], log: TextIO) -> None:
        self.port = _free_port()
        self._command = [*command, "--port", str(self.port)]
        self._environment = environment
        self._log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Raises RuntimeError when it does not listen in time."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env={**os.environ, **self._environment},
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"a server did not start; see {self._log.name}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=_START_SECONDS)

    def measure(self, load: Load, directory: str) -> dict[str, float]:
        """`rate` in requests a second, `p50` and `p99` in milliseconds. Raises RuntimeError on a refusal.

        The load comes from a process of its own: wrk where it is installed, else ours.
        """
        request = Path(directory, f"load-{self.port}.json")
        request.write_text(json.dumps(asdict(load)), encoding="utf-8")
        made = subprocess.run(
            self._generator(load, request),
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            timeout=load.seconds + _START_SECONDS,
        )
        measured: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
        if measured.pop("errors"):
            raise RuntimeError(f"not every request was answered with 200; see {self._log.name}")
        return measured

    def _generator(self, load: Load, request: Path) -> list[str]:
        wrk = shutil.which("wrk")
        if not wrk:
            return [sys.executable, "-m", "benchmarks.harness.load", str(self.port), str(request)]
        lines = [load.authorization, *load.bodies]
        request.write_text("\n".join(lines), encoding="utf-8")
        shape = ["-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout", "30s"]
        return [wrk, *shape, "-s", str(_WRK_SCRIPT), self.url + load.path, "--", str(request)]


def generator_name() -> str:
    """For a result's conditions."""
    return "wrk, 1 thread" if shutil.which("wrk") else "own asyncio client, 1 process"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
