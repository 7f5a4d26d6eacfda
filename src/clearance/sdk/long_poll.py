"""Waiting for a person across HTTP: one request after another, through restarts of the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from clearance.core.model import HoldStatus, HoldView
from clearance.errors import UnreachableError

LONGEST_SECONDS = 30.0  # of one request: shorter than what proxies close
_PAUSE_SECONDS = 0.5  # before a server that is away is asked again


def waited(ask: Callable[[float], HoldView], *, seconds: float) -> HoldView:
    """`ask` gets the hold, waiting for so long. Raises UnreachableError when nobody answers at the end."""
    ends = time.monotonic() + seconds
    while True:
        left = ends - time.monotonic()
        try:
            hold = ask(max(0.0, min(left, LONGEST_SECONDS)))
        except UnreachableError:
            if left <= _PAUSE_SECONDS:
                raise
            time.sleep(_PAUSE_SECONDS)
            continue
        if hold.status is not HoldStatus.PENDING or ends <= time.monotonic():
            return hold


async def awaited(ask: Callable[[float], Awaitable[HoldView]], *, seconds: float) -> HoldView:
    """The same, for an event loop."""
    ends = time.monotonic() + seconds
    while True:
        left = ends - time.monotonic()
        try:
            hold = await ask(max(0.0, min(left, LONGEST_SECONDS)))
        except UnreachableError:
            if left <= _PAUSE_SECONDS:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        if hold.status is not HoldStatus.PENDING or ends <= time.monotonic():
            return hold
