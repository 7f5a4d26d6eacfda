"""A server process on loopback, and what a load of keep-alive connections measures of it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, TextIO

from benchmarks.harness.result import ROOT

_START_SECONDS = 120.0  # LiteLLM takes a minute on a busy machine
_END_SECONDS = 30.0
_WRK_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """POSTs of `bodies` in turns to `path`, one at a time on each of `connections`, for `seconds`.

    With `prefixes` each body goes to the path behind a prefix of its own: `/r/RUN`. One that `waits` counts
    the answers to all that it sent; wrk leaves those out that come after the end.
    """

    path: str
    bodies: tuple[str, ...]
    connections: int
    seconds: int
    headers: tuple[tuple[str, str], ...] = ()
    prefixes: tuple[str, ...] = ("",)
    waits: bool = False


class Server:
    """Runs while its context is open; on `core` alone if it is given. The command's `{port}` is its port."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: TextIO,
        *,
        directory: Path = ROOT,
        core: int | None = None,
    ) -> None:
        self.port = _free_port()
        pinned = () if core is None else ("taskset", "-c", str(core))
        self._command = [part.replace("{port}", str(self.port)) for part in (*pinned, *command)]
        self._environment = environment
        self._directory = directory
        self._log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Raises RuntimeError when it does not listen in time."""
        self._process = subprocess.Popen(
            self._command,
            cwd=self._directory,
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
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{self._command} did not end; it is killed", file=self._log, flush=True)
            self._process.kill()
            self._process.wait()

    def measure(self, load: Load, directory: str) -> dict[str, float]:
        """`rate` in requests a second, `p50` and `p99` in milliseconds; their `count`. Raises RuntimeError.

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
        if not wrk or load.waits:
            return [sys.executable, "-m", "benchmarks.harness.load", str(self.port), str(request)]
        targets = itertools.cycle(prefix + load.path for prefix in load.prefixes)
        calls = zip(targets, itertools.islice(itertools.cycle(load.bodies), _calls(load)), strict=False)
        lines = [*(f"{name}: {value}" for name, value in load.headers), "", *itertools.chain(*calls)]
        request.write_text("\n".join(lines), encoding="utf-8")
        shape = ["-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout", "30s"]
        return [wrk, *shape, "-s", str(_WRK_SCRIPT), self.url + load.path, "--", str(request)]

    def paced(
        self, requests: Sequence[str], directory: str, *, rate: float, seconds: float
    ) -> dict[str, float]:
        """What harness/paced.py measures of requests that begin `rate` times a second."""
        file = Path(directory, f"paced-{self.port}.json")
        file.write_text(json.dumps({"requests": list(requests), "rate": rate, "seconds": seconds}))
        command = [sys.executable, "-m", "benchmarks.harness.paced", str(self.port), str(file)]
        made = subprocess.run(
            command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        figures: dict[str, float] = json.loads(made.stdout)
        return figures

    def pause(self) -> None:
        """Stop it where it is: what it still does for clients that are gone must not slow the next side."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for pid in self._family() if self._process.poll() is None else ():
            os.kill(pid, number)

    def cpu_seconds(self) -> float:
        """What it and its children have used so far."""
        ticks = 0
        for pid in self._family():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_kilobytes(self) -> int:
        """What it and its children hold now, what they share counted in parts."""
        rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self._family())
        return sum(int(rollup.partition("\nPss:")[2].split()[0]) for rollup in rollups)

    def _family(self) -> list[int]:
        return _family(self._process.pid)


def request_text(load: Load, body: str, prefix: str = "") -> str:
    """One of a load's requests, as it goes over the wire."""
    lines = [f"POST {prefix}{load.path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in load.headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", body])


def _calls(load: Load) -> int:
    """So many that every body and every prefix has had its turn."""
    return max(len(load.bodies), len(load.prefixes))


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *itertools.chain.from_iterable(_family(int(child)) for child in children)]


def generator_name() -> str:
    """For a result's conditions."""
    return "wrk, 1 thread" if shutil.which("wrk") else "own asyncio client, 1 process"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
