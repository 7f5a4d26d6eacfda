"""The conditions of a run: what it ran on, and how fast this disk makes a write durable, measured now."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

from benchmarks.harness.timing import latencies

_WRITES = 200
_PAGE = b"\0" * 4_096  # SQLite's page, the least that a commit writes


def conditions() -> dict[str, Any]:
    """What stays the same for a whole run."""
    return {
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "at": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def weather(directory: Path) -> dict[str, float]:
    """What changes from minute to minute, worst of all on a shared machine."""
    return {"load": round(os.getloadavg()[0], 2), "fsync_p50_us": round(fsync_p50_us(directory))}


def fsync_p50_us(directory: Path) -> float:
    """Microseconds to append one page and wait until it survives a power cut."""
    path = directory / "fsync.probe"
    with path.open("wb", buffering=0) as file:

        def append(_: int) -> None:
            file.write(_PAGE)
            os.fsync(file.fileno())

        p50 = latencies(append, _WRITES)["p50"]
    path.unlink()
    return p50
