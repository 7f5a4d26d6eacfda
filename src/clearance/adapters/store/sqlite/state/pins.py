"""Pins of tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clearance.adapters.store.sqlite.state.body import Body, written
from clearance.adapters.store.sqlite.state.database import Database, count_change
from clearance.adapters.store.sqlite.state.schema import PINS
from clearance.core.model import ToolPin

_OF_SERVER: Final = "SELECT body FROM pins WHERE server = ? ORDER BY tool"
_PUT: Final = (
    "INSERT INTO pins VALUES (?, ?, ?) ON CONFLICT (server, tool) DO UPDATE SET body = excluded.body"
)
_BODY: Final = Body(ToolPin)


class SqlitePins:
    """PinStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> int:
        return self._database.revision(PINS)

    def pins(self, server: str = "") -> list[ToolPin]:
        if server:
            rows = self._database.rows(_OF_SERVER, server)
        else:
            rows = self._database.rows("SELECT body FROM pins ORDER BY server, tool")
        return [_BODY.read(row[0]) for row in rows]

    def change_pins(self, server: str, change: Callable[[dict[str, ToolPin]], list[ToolPin]]) -> None:
        with self._database.writing("store the pins") as connection:
            known = [_BODY.read(row[0]) for row in connection.execute(_OF_SERVER, (server,)).fetchall()]
            changed = change({pin.tool: pin for pin in known})
            for pin in changed:
                connection.execute(_PUT, (pin.server, pin.tool, written(pin)))
            if changed:
                count_change(connection, PINS)
