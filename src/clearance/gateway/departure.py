"""A client that goes away while it is waited for: noticed soon, so that the provider stops too."""

from __future__ import annotations

import asyncio
from types import TracebackType

from clearance.gateway.doors import Receive

_SOON_SECONDS = 0.2  # an answer that is quicker is there before anybody need look whether its client is


class ClientGone(Exception):  # noqa: N818 - nobody's mistake
    """There is nobody to answer any more."""


class WhileHere:
    """Raises ClientGone out of whatever the block waits for. The request's body has to be read before."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        block = asyncio.current_task()
        assert block is not None
        self._block = block
        self._timer = asyncio.get_running_loop().call_later(_SOON_SECONDS, self._begin)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        if isinstance(error, asyncio.CancelledError) and self._gone and self._block.uncancel() == 0:
            raise ClientGone from None

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._block.cancel()
