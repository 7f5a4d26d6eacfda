"""Tools of MCP servers over HTTP: what was accepted of them, what waits, and a person's yes to it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from clearance.core.model import PinState, ToolPin
from clearance.gateway.endpoint import Access, Asked, Endpoint


class PinFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one server, or of all."""

    server: Annotated[str, Meta(max_length=64)] = ""


class Acceptance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seen` is the hash of the definition that the person looked at."""

    seen: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class PinView(Struct, frozen=True, kw_only=True):
    """One tool. `definition` is what was accepted, `seen_definition` what waits; both are JSON texts."""

    server: str
    tool: str
    state: PinState
    since: datetime
    accepted: str
    accepted_by: str
    definition: str
    seen: str
    seen_at: datetime | None
    seen_definition: str


class Pins(Struct, frozen=True):
    """By server and tool."""

    pins: list[PinView]


async def _list(asked: Asked) -> Pins:
    wanted: PinFilter = asked.query
    found = await asyncio.to_thread(asked.door.assembly.tool_pins.pins, wanted.server)
    return Pins([view(pin) for pin in found])


async def _accept(asked: Asked) -> PinView:
    pins, body = asked.door.assembly.tool_pins, asked.body
    server, tool = asked.path["server"], asked.path["tool"]
    return view(await asyncio.to_thread(pins.accept, server, tool, by=asked.caller.name, seen=body.seen))


def view(pin: ToolPin) -> PinView:
    """As people see it."""
    fields = {name: getattr(pin, name) for name in PinView.__struct_fields__}
    return PinView(**fields)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/mcp/pins",
        "List the tools of MCP servers and what was accepted of them",
        _list,
        Pins,
        access=Access.PEOPLE,
        query=PinFilter,
    ),
    Endpoint(
        "POST",
        "/v1/mcp/servers/{server}/tools/{tool:path}/accept",
        "Accept a tool as it was seen last",
        _accept,
        PinView,
        access=Access.OPERATE,
        body=Acceptance,
    ),
)
