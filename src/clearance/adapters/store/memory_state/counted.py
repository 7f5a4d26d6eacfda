"""What every store here has: a lock, and a count of changes."""

from __future__ import annotations

import threading


class Counted:
    """A lock and a count of changes."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._revision = 0

    def revision(self) -> int:
        return self._revision
