"""The last so many values by key: memory that stays flat however long the process lives."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Past `most` entries the one put longest ago is let go. Thread-safe: each step is one of dicts."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, T] = OrderedDict()
        self.get: Callable[[str], T | None] = self._values.get

    def put(self, key: str, value: T) -> None:
        """Keep it."""
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def pop(self, key: str) -> T | None:
        """The value, which is kept no longer."""
        return self._values.pop(key, None)
