"""A server with every door open, and what stands behind each: each writes down what reached it."""

from __future__ import annotations

import json
import re
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.conftest import Server, make_server
from tests.doors.proxied import PROVIDER_KEY
from tests.servers.mcp_tools import PROGRAM, ROOT, Tools, mcp_tools
from tests.servers.model import ScriptedModel, scripted
from tests.servers.process import free_port
from tests.servers.web import Web, web_server

# For clients that never use it: to read the authorities takes 30 ms each time.
PAGES = "127.0.0.2"  # of which no client thinks that it needs no proxy
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
MARK = re.compile(r"m(?:-\w+)+-m")  # what a test puts into its calls, to know them again


@dataclass
class House:
    """`tools` is an MCP server over HTTP (`remote`), `child` the same one on stdio, started by Clearance."""

    directory: Path
    server: Server
    model: ScriptedModel
    tools: Tools
    web: Web
    egress: int
    child: Path

    @property
    def proxy(self) -> str:
        return self.proxy_in("-")

    def proxy_in(self, run_id: str) -> str:
        return f"http://{run_id}:{self.server.agent_key}@127.0.0.1:{self.egress}"

    def page(self, path: str) -> str:
        return f"http://{PAGES}:{self.web.port}/{path}"

    @asynccontextmanager
    async def mcp(
        self,
        name: str = "remote",
        *,
        era: str = "auto",
        prefix: str = "",
        seconds: float = 30,
        **headers: str,
    ) -> AsyncIterator[Client]:
        """The official client, connected."""
        sent = {"Authorization": f"Bearer {self.server.agent_key}", **headers}
        async with httpx2.AsyncClient(headers=sent, verify=PLAIN, timeout=seconds) as http:
            url = f"{self.server.url}{prefix}/mcp/{name}"
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=era, read_timeout_seconds=seconds) as client:
                yield client

    def reached(self) -> dict[str, list[str]]:
        """The marks of everything that came through, by what it reached."""
        lines = self.child.read_text().splitlines() if self.child.exists() else []
        return {
            "model": [mark for one in self.model.requests for mark in MARK.findall(one.raw.decode())[-1:]],
            "tool": [mark for line in (*self.tools.calls, *lines) for mark in MARK.findall(line)],
            "page": [mark for one in self.web.seen for mark in MARK.findall(one["path"])],
        }

    def records(self, **wanted: str) -> list[dict[str, Any]]:
        """What the journal holds, oldest first."""
        with self.server.http(admin=True) as http:
            found = http.get("/v1/records", params={"limit": "1000", **wanted}).json()["records"]
        return list(reversed(found))

    def trace(self, run_id: str) -> list[dict[str, Any]]:
        with self.server.http() as http:
            answer = http.get(f"/v1/runs/{run_id}/trace")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["records"]
        return found

    def configure(self, **changed: Any) -> None:
        """Write clearance.yaml."""
        (self.directory / "clearance.yaml").write_text(yaml.safe_dump({**self.settings(), **changed}))

    def settings(self) -> dict[str, Any]:
        key = self.directory / "provider.key"
        stdio = [sys.executable, "-m", PROGRAM, "0", str(self.child), "--stdio"]
        path = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        return {
            "drain_seconds": 2,
            "models": {
                "upstreams": {
                    "openai": {"base_url": f"{self.model.url}/v1", "key_file": str(key)},
                    "anthropic": {"base_url": self.model.url, "kind": "anthropic", "key_file": str(key)},
                }
            },
            "mcp": {
                "servers": {
                    "remote": {"url": self.tools.url},
                    "child": {"command": stdio, "env": path, "directory": str(ROOT)},
                }
            },
            "egress": {
                "port": self.egress,
                "private": ["127.0.0.0/8"],
                "ports": [self.web.port],
                "tunnels": "any",
            },
        }


@contextmanager
def house(directory: Path) -> Iterator[House]:
    """Configured, and not started yet; at the end it is stopped, if it runs."""
    with scripted() as model, mcp_tools(directory) as tools, web_server(host=PAGES) as web:
        server = make_server(directory / "store")
        server.directory = directory
        (directory / "provider.key").write_text(PROVIDER_KEY)
        made = House(directory, server, model, tools, web, free_port(), directory / "child-calls")
        made.configure()
        try:
            yield made
        finally:
            if server.process is not None:
                server.stop()


def marks_of(records: list[dict[str, Any]]) -> set[str]:
    return {mark for one in records for mark in MARK.findall(json.dumps(one))}
