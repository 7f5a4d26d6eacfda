"""Which definitions of tools hold. The first sight of one may pin it; a change waits for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from clearance.core.dialects.mcp_tools import ToolSeen, passing_for_another
from clearance.core.model import PinState, ToolPin
from clearance.errors import ConflictError, NotFoundError
from clearance.ports import PinStore
from clearance.runtime.audit import Audit
from clearance.runtime.mediator import Clock

SYSTEM = "clearance"  # by whom, in the record, what nobody did
NOTICE = "tool_changed"


class ToolPins:
    """Thread-safe. What is found is in the administrative record before it holds."""

    def __init__(
        self, store: PinStore, audit: Audit, *, clock: Clock, tell: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._tell = tell
        self._held: tuple[int, dict[tuple[str, str], PinState]] = (-1, {})

    def pins(self, server: str = "") -> list[ToolPin]:
        """By server and tool. Raises StoreError."""
        return self._store.pins(server)

    def state(self, server: str, tool: str) -> PinState | None:
        """None for a tool that no list has shown yet. Cheap until a pin changes. Raises StoreError."""
        revision = self._store.revision()
        held, states = self._held
        if held != revision:
            states = {(pin.server, pin.tool): pin.state for pin in self._store.pins()}
            self._held = (revision, states)
        return states.get((server, tool))

    def seen(self, server: str, tools: Sequence[ToolSeen], *, trusts_first: bool) -> None:
        """Compare a list with what is pinned. Blocks only where something is new. Raises StoreError."""
        known = {pin.tool: pin for pin in self._store.pins(server)}
        if not self._found(server, tools, known, trusts_first=trusts_first):
            return
        found: list[ToolPin] = []

        def change(pins: dict[str, ToolPin]) -> list[ToolPin]:
            found[:] = self._found(server, tools, pins, trusts_first=trusts_first)
            self._record(server, found)
            return found

        self._store.change_pins(server, change)
        for pin in found:
            if pin.seen:
                self._tell(NOTICE, {"server": server, "tool": pin.tool, "state": pin.state.value})

    def accept(self, server: str, tool: str, *, by: str, seen: str = "") -> ToolPin:
        """Let the definition hold that was seen last; with `seen`, only if it still is that one.

        Raises NotFoundError, ConflictError, StoreError.
        """
        accepted: list[ToolPin] = []

        def change(pins: dict[str, ToolPin]) -> list[ToolPin]:
            pin = pins.get(tool)
            if pin is None:
                raise NotFoundError("No list of this server has shown a tool of this name.")
            if seen and seen != (pin.seen or pin.accepted):
                raise ConflictError("The tool has changed again since it was looked at; look once more.")
            accepted[:] = [pin if not pin.seen else _accepted(pin, by)]
            if pin.seen:
                details = {"definition": pin.seen, "before": pin.accepted}
                self._audit.record("tool.accept", by=by, target=f"{server}__{tool}", details=details)
            return accepted if pin.seen else []

        self._store.change_pins(server, change)
        return accepted[0]

    def _found(
        self, server: str, tools: Sequence[ToolSeen], known: dict[str, ToolPin], *, trusts_first: bool
    ) -> list[ToolPin]:
        """The pins that a list makes new or other."""
        at, alike = self._clock(), passing_for_another([tool.name for tool in tools], known)
        changed: dict[str, ToolPin] = {}
        for tool in tools:
            before = changed.get(tool.name) or known.get(tool.name)
            if before is None:
                pin = ToolPin(
                    server=server,
                    tool=tool.name,
                    since=at,
                    seen=tool.digest,
                    seen_at=at,
                    seen_definition=tool.definition,
                )
                trusted = trusts_first and tool.name not in alike
                changed[tool.name] = _accepted(pin, SYSTEM) if trusted else pin
            elif tool.digest not in (before.seen or before.accepted,):
                changed[tool.name] = _other(before, tool, at)
        return [pin for pin in changed.values() if pin != known.get(pin.tool)]

    def _record(self, server: str, found: Sequence[ToolPin]) -> None:
        for act, wanted in (("tool.pin", PinState.ACCEPTED), ("tool.wait", PinState.WAITING)):
            some = {pin.tool: pin.accepted or pin.seen for pin in found if pin.state is wanted}
            if some:
                self._audit.record(act, by=SYSTEM, target=server, details={"tools": some})
        for pin in found:
            if pin.state is PinState.CHANGED:
                details = {"before": pin.accepted, "definition": pin.seen}
                target = f"{server}__{pin.tool}"
                self._audit.record("tool.change", by=SYSTEM, target=target, details=details)


def _accepted(pin: ToolPin, by: str) -> ToolPin:
    return replace(
        pin,
        accepted=pin.seen,
        accepted_by=by,
        definition=pin.seen_definition,
        seen="",
        seen_at=None,
        seen_definition="",
    )


def _other(pin: ToolPin, tool: ToolSeen, at: Any) -> ToolPin:
    """A definition that is not the one seen last. Once a tool has changed, it waits, whatever it is then."""
    return replace(pin, seen=tool.digest, seen_at=at, seen_definition=tool.definition)
