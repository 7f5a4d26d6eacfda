"""Any way to an MCP server, with how long its answers take told to the metrics. Changes nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from clearance.gateway.mcp_proxy.guarded import DOOR
from clearance.gateway.mcp_proxy.link import Exchange, Link
from clearance.gateway.metrics import Metrics
from clearance.gateway.upstream import UpstreamError


class MeasuredLink:
    """To the server of this name. What somebody gave up waiting for is not counted."""

    def __init__(self, link: Link, server: str, metrics: Metrics) -> None:
        self._link = link
        self._server = server
        self._metrics = metrics

    async def send(self, message: bytes, headers: Mapping[str, str]) -> Exchange:
        began = perf_counter()
        try:
            exchange = await self._link.send(message, headers)
        except UpstreamError as error:
            self._tell(error.reason, began)
            raise
        self._tell(str(exchange.status), began)
        return exchange

    async def listen(self, headers: Mapping[str, str]) -> Exchange:
        return await self._link.listen(headers)

    async def end(self, headers: Mapping[str, str]) -> int:
        return await self._link.end(headers)

    async def close(self) -> None:
        await self._link.close()

    def _tell(self, status: str, began: float) -> None:
        self._metrics.answered(DOOR, self._server, status=status, seconds=perf_counter() - began)
