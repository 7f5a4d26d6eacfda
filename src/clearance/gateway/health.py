"""Alive, ready, and how it goes: ready means that an intent could be made durable now."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from clearance.errors import StoreError
from clearance.gateway.endpoint import Access, Asked, Endpoint, Form
from clearance.ports import RunQuery


class Health(Struct, frozen=True):
    """`ok`, or the request fails."""

    status: str


async def _alive(_: Asked) -> Health:
    return Health("ok")


async def _ready(asked: Asked) -> Health:
    """Raises StoreError, which answers 503; so does a server that was told to stop."""
    if asked.door.ending.is_set():
        raise StoreError("The server is about to stop; it takes nothing new.")
    point = asked.door.assembly.control_point
    point.policies.current()
    await asyncio.to_thread(point.journal.runs, RunQuery(limit=1))
    return Health("ok")


async def _metrics(asked: Asked) -> bytes:
    return await asyncio.to_thread(asked.door.passage.metrics.page)


ENDPOINTS = (
    Endpoint("GET", "/healthz", "Say that the process is alive", _alive, Health, access=Access.PUBLIC),
    Endpoint("GET", "/readyz", "Say that actions can be cleared", _ready, Health, access=Access.PUBLIC),
    Endpoint(
        "GET",
        "/metrics",
        "Read the counters, for Prometheus",
        _metrics,
        str,
        access=Access.PEOPLE,
        form=Form.TEXT,
    ),
)
