"""Where the definitions of tools are kept that people, or the first sight of them, have accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clearance.core.model import ToolPin


class PinStore(Protocol):
    """The pins of all tool servers. Each change is one transaction."""

    def revision(self) -> int:
        """Another, greater number whenever a pin changed. Cheap: asked before every call of a tool."""

    def pins(self, server: str = "") -> list[ToolPin]:
        """By server and tool; of one server, or of all."""

    def change_pins(self, server: str, change: Callable[[dict[str, ToolPin]], list[ToolPin]]) -> None:
        """Store what `change` makes of a server's pins, by tool: those it returns are new or replaced."""
