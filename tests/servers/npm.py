"""Packages of npm for tests: installed once from the lock beside them, one state of the lock at a time."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.process import missing


def node() -> str:
    """Where node is; the test is skipped aloud where it is not."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        missing("node and npm", "apt-get install nodejs npm")
    return str(found)


def modules(directory: Path) -> Path:
    """Where the packages of the lock in `directory` are."""
    node()
    found = directory / "node_modules"
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed(found, directory / "package-lock.json", [command])
    return found


def installed(made: Path, lock: Path, commands: Sequence[Sequence[str]]) -> None:
    """Run the commands that make a directory, beside the lock, once for each state of it.

    However many workers ask: the first does it, the others wait.
    """
    mark = made / ".installed"
    state = hashlib.sha256(lock.read_bytes()).hexdigest()
    with (lock.parent / f".{lock.stem}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if mark.exists() and mark.read_text() == state:
            return
        for command in commands:
            done = subprocess.run(command, cwd=lock.parent, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        mark.write_text(state)
