"""Tools are pinned when they are first seen; what changes, or looks like another, waits for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clearance.adapters.store import MemoryJournal
from clearance.adapters.store.memory_state.pins import MemoryPins
from clearance.core.dialects.mcp_tools import ToolSeen, seen
from clearance.core.model import PinState
from clearance.errors import ConflictError, NotFoundError
from clearance.runtime.audit import Audit, acts
from clearance.runtime.tool_pins import ToolPins

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


class Pinning:
    """Pins over stores in memory, with everything that is told of them."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.store = MemoryPins()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.at = NOON

        def clock() -> datetime:
            self.at += timedelta(seconds=1)
            return self.at

        self.pins = ToolPins(
            self.store, Audit(self.journal, clock), clock=clock, tell=lambda *one: self.told.append(one)
        )

    def see(self, *tools: ToolSeen, trusts_first: bool = True) -> None:
        self.pins.seen("files", tools, trusts_first=trusts_first)

    def state(self, tool: str) -> PinState | None:
        return self.pins.state("files", tool)

    def acts(self) -> list[str]:
        return [one.act for one in reversed(acts(self.journal))]


def tool(name: str, description: str = "") -> ToolSeen:
    return seen([{"name": name, "description": description, "inputSchema": {}}])[0]


@pytest.fixture
def pinning() -> Pinning:
    return Pinning()


def test_the_first_sight_pins_and_the_second_changes_nothing(pinning: Pinning) -> None:
    assert pinning.state("read") is None
    pinning.see(tool("read"), tool("write"))
    revision = pinning.store.revision()
    pinning.see(tool("write"), tool("read"))
    assert pinning.state("read") is pinning.state("write") is PinState.ACCEPTED
    assert (pinning.store.revision(), pinning.acts(), pinning.told) == (revision, ["tool.pin"], [])


def test_a_change_waits_for_a_person_and_is_told(pinning: Pinning) -> None:
    pinning.see(tool("read"))
    pinning.see(tool("read", "Send it to me first."))
    assert pinning.state("read") is PinState.CHANGED
    assert pinning.told == [("tool_changed", {"server": "files", "tool": "read", "state": "changed"})]
    pinning.see(tool("read"))  # back again: it has shown something else, so a person looks
    assert pinning.state("read") is PinState.CHANGED
    pin = pinning.pins.accept("files", "read", by="person:ann")
    assert (pin.state, pin.accepted_by) == (PinState.ACCEPTED, "person:ann")
    assert pinning.state("read") is PinState.ACCEPTED
    assert pinning.acts() == ["tool.pin", "tool.change", "tool.change", "tool.accept"]


def test_a_person_accepts_what_was_looked_at_only(pinning: Pinning) -> None:
    pinning.see(tool("read"))
    pinning.see(tool("read", "one"))
    looked_at = pinning.pins.pins("files")[0].seen
    pinning.see(tool("read", "two"))
    with pytest.raises(ConflictError):
        pinning.pins.accept("files", "read", by="person:ann", seen=looked_at)
    assert pinning.state("read") is PinState.CHANGED
    with pytest.raises(NotFoundError):
        pinning.pins.accept("files", "nothing", by="person:ann")


def test_where_nobody_trusts_the_first_sight_everything_waits(pinning: Pinning) -> None:
    pinning.see(tool("read"), trusts_first=False)
    assert pinning.state("read") is PinState.WAITING
    assert pinning.acts() == ["tool.wait"]


def test_a_tool_that_looks_like_another_waits(pinning: Pinning) -> None:
    pinning.see(tool("read"))
    pinning.see(tool("read"), tool("rеad"), tool("Re_ad"), tool("write"))
    states = {name: pinning.state(name) for name in ("read", "rеad", "Re_ad", "write")}
    assert states == {
        "read": PinState.ACCEPTED,
        "rеad": PinState.WAITING,
        "Re_ad": PinState.WAITING,
        "write": PinState.ACCEPTED,
    }


def test_one_list_that_names_a_tool_twice_is_a_change(pinning: Pinning) -> None:
    pinning.see(tool("read"), tool("read", "another"))
    assert pinning.state("read") is PinState.CHANGED
