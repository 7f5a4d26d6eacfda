"""The last so many values by key: memory that stays flat however long the process lives."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Thread-safe; past `most` entries the one put longest ago is let go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: str, value: T) -> None:
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._most:
                self._values.popitem(last=False)

    def get(self, key: str) -> T | None:
        with self._lock:
            return self._values.get(key)

    def pop(self, key: str) -> T | None:
        with self._lock:
            return self._values.pop(key, None)
