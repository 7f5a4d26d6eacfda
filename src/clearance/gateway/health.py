"""Alive, and ready: ready means that an intent could be made durable now."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.ports import RunQuery


class Health(Struct, frozen=True):
    """`ok`, or the request fails."""

    status: str


async def _alive(_: Asked) -> Health:
    return Health("ok")


async def _ready(asked: Asked) -> Health:
    """Raises StoreError, which answers 503."""
    point = asked.door.assembly.control_point
    point.policies.current()
    await asyncio.to_thread(point.journal.runs, RunQuery(limit=1))
    return Health("ok")


ENDPOINTS = (
    Endpoint("GET", "/healthz", "Say that the process is alive", _alive, Health, access=Access.PUBLIC),
    Endpoint("GET", "/readyz", "Say that actions can be cleared", _ready, Health, access=Access.PUBLIC),
)
