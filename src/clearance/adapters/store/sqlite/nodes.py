"""Which processes that wrote to the store are alive: each holds a lock that the kernel frees when it dies.

Decides nothing about what a dead process left behind.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from pathlib import Path
from typing import Final

from clearance.adapters.store.sqlite.files import private_directory

_SUFFIX: Final = ".lock"
_ID: Final = re.compile(r"[0-9a-f]{16}")  # what a record names as its node may be anything else


class Nodes:
    """A directory of lock files. `own` is this object's id, alive until `close` or its process's death."""

    def __init__(self, directory: Path) -> None:
        private_directory(directory)
        self._directory = directory
        self.own = secrets.token_hex(8)
        unlocked = directory / f"{self.own}.new"
        held = os.open(unlocked, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        self._held: int | None = held
        # It gets its name only now: no other process may find it unlocked and take its holder for dead.
        unlocked.rename(self._path(self.own))

    def is_alive(self, node: str) -> bool:
        """Whether the holder of another id lives. An id without a lock file is nobody's."""
        if not _ID.fullmatch(node):
            return False
        try:
            other = os.open(self._path(node), os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two processes that ask at once do not take each other for the holder.
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(other)
        return False

    def dead_nodes(self) -> set[str]:
        """Ids whose holder died without `close` and that nobody has forgotten yet."""
        ids = {path.name.removesuffix(_SUFFIX) for path in self._directory.glob(f"*{_SUFFIX}")}
        return {node for node in ids if not self.is_alive(node)}

    def forget(self, node: str) -> None:
        """Remove a dead node's lock file, once nothing it left in flight remains. A living one's stays."""
        if _ID.fullmatch(node) and not self.is_alive(node):
            self._path(node).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the own id. Safe to call again."""
        if self._held is not None:
            self._path(self.own).unlink(missing_ok=True)
            os.close(self._held)
            self._held = None

    def _path(self, node: str) -> Path:
        return self._directory / f"{node}{_SUFFIX}"
