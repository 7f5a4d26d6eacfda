"""A client that goes away while it is waited for: noticed at once, so that the provider stops too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clearance.gateway.doors import Receive


class ClientGone(Exception):  # noqa: N818 - nobody's mistake
    """There is nobody to answer any more."""


@asynccontextmanager
async def while_here(receive: Receive) -> AsyncIterator[None]:
    """Raises ClientGone out of whatever the block waits for. The request's body has to be read before."""
    block = asyncio.current_task()
    assert block is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        block.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone and block.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        watching.cancel()
