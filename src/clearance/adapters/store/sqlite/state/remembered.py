"""The last values that were asked for by name, for as long as nothing of their kind has changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from clearance.adapters.store.sqlite.state.database import Database

T = TypeVar("T")
_MOST: Final = 4_096  # about 2 MB of credentials


class Remembered(Generic[T]):
    """A change by any process is seen by the next call. What is not there is never remembered."""

    def __init__(
        self, database: Database, topic: str, *, read: Callable[[str], T | None], most: int = _MOST
    ) -> None:
        self._database = database
        self._topic = topic
        self._read = read
        self._most = most
        self._lock = threading.Lock()
        self._revision = -1
        self._values: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str) -> T | None:
        # Before the value: one that is read then is of this revision or a later one, never of an earlier.
        revision = self._database.revision(self._topic)
        with self._lock:
            if revision > self._revision:
                self._revision = revision
                self._values.clear()
            elif name in self._values:
                self._values.move_to_end(name)
                return self._values[name]
        value = self._read(name)
        if value is not None:
            self._keep(name, value, revision)
        return value

    def _keep(self, name: str, value: T, revision: int) -> None:
        with self._lock:
            if revision == self._revision:
                self._values[name] = value
                if len(self._values) > self._most:
                    self._values.popitem(last=False)
