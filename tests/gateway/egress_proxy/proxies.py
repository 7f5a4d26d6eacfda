"""An egress proxy in the test's own loop, and a client that sends it exactly the bytes it is told to."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from clearance.adapters.identity import new_key
from clearance.config import EgressSettings, Settings
from clearance.core.model import Agent, Record
from clearance.gateway.egress_proxy import EgressProxy
from clearance.gateway.egress_proxy.addresses import Resolve
from clearance.gateway.metrics import Metrics
from clearance.gateway.passage import Passage
from clearance.ports import RecordQuery
from clearance.runtime.loop_writer import LoopWriter
from clearance.wiring import Assembly, assemble, utc_now
from tests.servers.process import free_port

LOOPBACK = ("127.0.0.0/8", "::1/128")


async def loopback(host: str, port: int) -> Sequence[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Proxy:
    door: EgressProxy
    assembly: Assembly
    key: str

    def credentials(self, run_id: str = "") -> str:
        return "Basic " + base64.b64encode(f"{run_id}:{self.key}".encode()).decode()

    def alone(self) -> dict[str, Any]:
        """The body of the only outcome."""
        [outcome] = self.told("outcome")
        return outcome

    @property
    def url(self) -> str:
        return f"http://:{self.key}@127.0.0.1:{self.door.port}"

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port)
        return Client(self, reader, writer)

    async def ask(self, *lines: str, body: bytes = b"") -> Answer:
        """One request on a connection of its own, with the agent's credentials."""
        client = await self.connect()
        try:
            return await client.ask(*lines, body=body)
        finally:
            client.close()

    async def get(self, url: str, *headers: str) -> Answer:
        host = url.split("/")[2]
        return await self.ask(f"GET {url} HTTP/1.1", f"Host: {host}", *headers)

    def records(self) -> list[Record]:
        journal = self.assembly.journal
        runs = {record.run_id for record in journal.search(RecordQuery(limit=1000))}
        return [record for run in sorted(runs) for record in journal.run(run)]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the records of a kind."""
        return [record.decoded() for record in self.records() if record.kind.value == kind]

    def policies(self, *policies: dict[str, Any], **more: Any) -> None:
        """These, and no others."""
        self.assembly.control_point.policies.replace_all(
            {"version": 1, "policies": list(policies), **more}, by="test"
        )


@dataclass
class Client:
    proxy: Proxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, *lines: str, body: bytes = b"", is_head: bool = False) -> Answer:
        head = [*lines, f"Proxy-Authorization: {self.proxy.credentials()}", "", ""]
        await self.send("\r\n".join(head).encode("latin-1") + body)
        return await self.answer(is_head=is_head or lines[0].startswith("HEAD"))

    async def answer(self, *, is_head: bool = False) -> Answer:
        async with asyncio.timeout(10):
            raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            status = int(raw[0].split(" ")[1])
            lines = [line.partition(":") for line in raw[1:] if line]
            headers = {name.lower(): value.strip() for name, _, value in lines}
            return Answer(status, headers, b"" if is_head else await self._body(headers))

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(await self.reader.readline(), 16):
                parts.append(await self.reader.readexactly(size))
                await self.reader.readline()
            await self.reader.readline()
            return b"".join(parts)
        return await self.reader.readexactly(int(headers.get("content-length", 0)))

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def egress_proxy(
    settings: EgressSettings | None = None, *, resolve: Resolve | None = loopback, store: str = "memory"
) -> AsyncIterator[Proxy]:
    """A door that reaches loopback on every port, unless it is told otherwise."""
    egress = settings or EgressSettings(private=LOOPBACK, ports=tuple(range(1, 65_536)))
    assembly = assemble(Settings(store=store, egress=replace(egress, port=egress.port or free_port())))
    passage = Passage(assembly, LoopWriter(assembly.journal), Metrics("test"))
    door = EgressProxy(passage, resolve=resolve)
    assembly.state.agents.add_agent(Agent(name="agent", created_at=utc_now()))
    key, stored = new_key("agent", at=utc_now())
    assembly.state.credentials.add_credential(stored)
    await door.start()
    try:
        yield Proxy(door, assembly, key)
    finally:
        await door.close()
        assembly.close()
