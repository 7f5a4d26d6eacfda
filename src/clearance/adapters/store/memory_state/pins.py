"""Pins of tools."""

from __future__ import annotations

from collections.abc import Callable

from clearance.adapters.store.memory_state.counted import Counted
from clearance.core.model import ToolPin


class MemoryPins(Counted):
    """PinStore."""

    def __init__(self) -> None:
        super().__init__()
        self._pins: dict[tuple[str, str], ToolPin] = {}

    def pins(self, server: str = "") -> list[ToolPin]:
        with self._lock:
            return [pin for key, pin in sorted(self._pins.items()) if server in ("", key[0])]

    def change_pins(self, server: str, change: Callable[[dict[str, ToolPin]], list[ToolPin]]) -> None:
        with self._lock:
            changed = change({pin.tool: pin for pin in self.pins(server)})
            for pin in changed:
                self._pins[pin.server, pin.tool] = pin
            self._revision += bool(changed)
