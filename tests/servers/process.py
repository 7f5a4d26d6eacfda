"""One server process of a test: a free port, an unprivileged user where we are root, an end by process id."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

REQUIRED = "CLEARANCE_REQUIRE_SERVERS"  # set by .ci/run: there, a server that is missing fails the test


def missing(what: str, how: str) -> None:
    """Skip aloud; where servers are required, fail."""
    message = f"{what} is not installed. To run these tests: {how}"
    if os.environ.get(REQUIRED):
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def account() -> str | None:
    """Servers refuse to run as root: the account to run them as, None for our own."""
    return "nobody" if os.geteuid() == 0 else None


def owned_directory(prefix: str) -> Path:
    """A fresh directory, short enough for a socket's path, that belongs to the server's account."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    user = account()
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return path


def run(command: Sequence[str | Path]) -> None:
    """Run one set-up command as the server's account. Raises with its output."""
    done = subprocess.run(
        [str(part) for part in command], user=account(), cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}\n{done.stderr}")


class Server:
    """A running server. `kill` ends it at once, `stop` also removes its directory."""

    def __init__(self, command: Sequence[str | Path], directory: Path) -> None:
        self.directory = directory
        self._log = (directory / "log.txt").open("wb")
        self._process = subprocess.Popen(
            [str(part) for part in command],
            user=account(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def wait_until(self, ready: Callable[[], object], *, seconds: float = 30) -> None:
        """Return once `ready` raises nothing."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                ready()
                return
            except Exception:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """End the process by its id and remove what it kept."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
