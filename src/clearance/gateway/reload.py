"""Takes up changed files while serving: clearance.yaml and the policy files, whole or not at all."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from clearance.config import Settings, read_policy_files
from clearance.config.settings import FILE
from clearance.errors import ClearanceError, ConfigurationError
from clearance.gateway.doors import NetworkDoor
from clearance.gateway.metrics import Metrics
from clearance.runtime.policy_book import PolicyBook

Load = Callable[[], Settings]
_LOOK_SECONDS = 1.0
_LOG = logging.getLogger("clearance")
# What doors and policies take up as they run; anything else is read once, when the server starts.
_TAKEN_UP = frozenset({"policies", "models", "mcp", "egress"})


class Reloader:
    """Belongs to one event loop. What cannot be read changes nothing, and is said once."""

    def __init__(
        self,
        load: Load,
        book: PolicyBook,
        doors: Sequence[NetworkDoor],
        *,
        in_force: Settings,
        metrics: Metrics,
    ) -> None:
        self._load = load
        self._book = book
        self._doors = doors
        self._settings = in_force
        self._metrics = metrics
        self._seen = _look(in_force)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Look now, whether or not a file looks changed (SIGHUP)."""
        self._asked.set()

    async def watch(self) -> None:
        """For ever: once a second, and when asked."""
        while True:
            try:
                await asyncio.wait_for(self._asked.wait(), _LOOK_SECONDS)
            except TimeoutError:
                if await asyncio.to_thread(_look, self._settings) == self._seen:
                    continue
            self._asked.clear()
            await self.reload()

    async def reload(self) -> bool:
        """Whether everything was read and is in force."""
        self._seen = await asyncio.to_thread(_look, self._settings)
        try:
            settings = await asyncio.to_thread(self._load)
            documents = await asyncio.to_thread(read_policy_files, settings.policies)
            for door in self._doors:
                door.check(settings)
            await asyncio.to_thread(self._book.replace_files, documents)
        except ClearanceError as error:
            self._refused(error)
            return False
        for door in self._doors:
            await door.reload(settings)
        if left := _needs_restart(self._settings, settings):
            _LOG.warning("changed settings that need a restart: %s", ", ".join(left))
        self._settings, self._seen = settings, await asyncio.to_thread(_look, settings)
        self._metrics.reloaded("applied")
        _LOG.warning("reloaded: policies %s", self._book.current().version)
        return True

    def _refused(self, error: ClearanceError) -> None:
        self._metrics.reloaded("refused")
        _LOG.error("the changed files were not taken up; what was in force stays (%s)", error.code)
        for problem in error.problems if isinstance(error, ConfigurationError) else ():
            _LOG.error("%s", problem)


def _needs_restart(before: Settings, after: Settings) -> list[str]:
    names = (name for name in Settings.__struct_fields__ if name not in _TAKEN_UP)
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _look(settings: Settings) -> frozenset[tuple[str, int, int, int]]:
    """Every file that counts, and what tells a changed one: time, size, inode (editors rename)."""
    found = set()
    for path in map(Path, (FILE, *settings.policies)):
        inside = [path, *path.rglob("*.y*ml")] if path.is_dir() else [path]
        for file in inside:
            try:
                known = os.stat(file)  # noqa: PTH116
            except OSError:
                continue
            found.add((str(file), known.st_mtime_ns, known.st_size, known.st_ino))
    return frozenset(found)
