"""The notifier's in-memory twin: it keeps what it is sent, and can be told to refuse."""

from __future__ import annotations

from clearance.errors import SystemUnavailableError
from clearance.ports import Notice


class MemoryNotifier:
    """Notifier. `is_down` makes it refuse, as a receiver that is away does."""

    def __init__(self, name: str = "memory") -> None:
        self.sent: list[Notice] = []
        self.is_down = False
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def send(self, notice: Notice) -> None:
        """Raises SystemUnavailableError."""
        if self.is_down:
            raise SystemUnavailableError(f"The receiver `{self._name}` did not take the notice.")
        self.sent.append(notice)

    def close(self) -> None:
        """Nothing to let go."""
