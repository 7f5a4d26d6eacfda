"""What every store of tools' pins promises."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from clearance.core.model import PinState, ToolPin
from clearance.ports import PinStore, State

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
READ = ToolPin(server="files", tool="read", since=NOON, accepted="a" * 64, definition="{}")
WRITE = ToolPin(
    server="files", tool="write", since=NOON, seen="b" * 64, seen_at=NOON, seen_definition='{"ä":1}'
)
OTHER = ToolPin(server="mail", tool="read", since=NOON, accepted="c" * 64)


@pytest.fixture
def pins(state: State) -> PinStore:
    return state.pins


def test_pins_are_listed_by_server_and_tool(pins: PinStore) -> None:
    pins.change_pins("mail", lambda known: [OTHER])
    pins.change_pins("files", lambda known: [WRITE, READ])
    assert pins.pins() == [READ, WRITE, OTHER]
    assert pins.pins("mail") == [OTHER]
    assert pins.pins("none") == []
    assert [pin.state for pin in pins.pins()] == [PinState.ACCEPTED, PinState.WAITING, PinState.ACCEPTED]


def test_a_change_sees_the_pins_of_its_server_only_and_moves_the_revision(pins: PinStore) -> None:
    pins.change_pins("mail", lambda known: [OTHER])
    before = pins.revision()
    told: list[dict[str, ToolPin]] = []

    def change(known: dict[str, ToolPin]) -> list[ToolPin]:
        told.append(dict(known))
        return [READ]

    pins.change_pins("files", change)
    changed = replace(READ, seen="d" * 64)
    pins.change_pins("files", lambda known: [changed])
    assert told == [{}]
    assert pins.pins("files") == [changed]
    assert pins.revision() > before
    assert changed.state is PinState.CHANGED


def test_a_change_of_nothing_moves_nothing_and_one_that_fails_stores_nothing(pins: PinStore) -> None:
    before = pins.revision()
    pins.change_pins("files", lambda known: [])

    def fail(known: dict[str, ToolPin]) -> list[ToolPin]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        pins.change_pins("files", fail)
    assert (pins.pins(), pins.revision()) == ([], before)
