"""Every door of one real server, with what stands behind them, and a socket to say anything to it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.conftest import Server, make_server
from tests.doors.approvers import agent_key_of
from tests.servers.mcp_tools import Tools, mcp_tools
from tests.servers.model import ScriptedModel, Turn, scripted

PROVIDER_KEY = "provider-key-0123456789"
PLANTED = "planted-secret-argument"
NAMES = ("read_file", "wipe_disk", "echo")
CHAT_TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in NAMES
]
RESPONSES_TOOLS: list[Any] = [
    {"type": "function", "name": name, "parameters": {"type": "object"}} for name in NAMES
]
MESSAGES_TOOLS: list[Any] = [{"name": name, "input_schema": {"type": "object"}} for name in NAMES]
HI: list[Any] = [{"role": "user", "content": "Hi."}]
CHAT, RESPONSES, MESSAGES = "/openai/v1/chat/completions", "/openai/v1/responses", "/anthropic/v1/messages"
ASKING: dict[str, dict[str, Any]] = {
    CHAT: {"model": "scripted-1", "messages": HI, "tools": CHAT_TOOLS},
    RESPONSES: {"model": "scripted-1", "input": "Hi.", "tools": RESPONSES_TOOLS},
    MESSAGES: {"model": "scripted-1", "max_tokens": 50, "messages": HI, "tools": MESSAGES_TOOLS},
}
# A call of a tool that is blocked, as the wire formats have it.
ARGUMENTS = json.dumps({"path": PLANTED})
FUNCTION = {"name": "wipe_disk", "arguments": ARGUMENTS}
CALL = {"id": "call_x", "type": "function", "function": FUNCTION}
USE = {"type": "tool_use", "id": "a", "name": "wipe_disk", "input": {"path": PLANTED}}
POLICIES: list[dict[str, Any]] = [
    {"name": "wipe", "rule": "block", "condition": {"tool": "wipe_disk"}, "message": "Nothing is wiped."},
    {"name": "deletes", "rule": "block", "condition": {"tool": "demo__delete_file"}},
    {"name": "searches", "rule": "block", "condition": {"tool": "web_search*"}},
    {
        "name": "models",
        "rule": "block",
        "at": "pre_model_call",
        "condition": {"none": [{"resource": "model:scripted-*"}]},
    },
]


@dataclass
class Scene:
    """`other` is the key of a second agent, that may do what the first may."""

    server: Server
    model: ScriptedModel
    tools: Tools
    other: str = field(repr=False)
    _sessions: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def post(self, path: str, body: Any, key: str = "", **headers: str) -> httpx.Response:
        """As a plain client would; `body` may be bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {
            "authorization": f"Bearer {key or self.server.agent_key}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return httpx.post(f"{self.server.url}{path}", content=content, headers=sent, timeout=20)

    def mcp(self, body: Any, path: str = "/mcp/demo", key: str = "", **headers: str) -> httpx.Response:
        """In the agent's session with this address, unless headers say something of either."""
        if not {"Mcp_Session_Id", "MCP_Protocol_Version"} & headers.keys():
            at = ("/mcp" + path.partition("/mcp")[2], key)
            self._sessions[at] = self._sessions.get(at) or self.begun(*at)
            headers |= {"Mcp_Session_Id": self._sessions[at], "MCP_Protocol_Version": "2025-11-25"}
        return self.post(path, body, key, **headers)

    def begun(self, path: str = "/mcp/demo", key: str = "") -> str:
        """A new session."""
        who = {"name": "tests", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": who}
        first = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        session = self.post(path, first, key).headers["mcp-session-id"]
        done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        sent = {"Mcp_Session_Id": session, "MCP_Protocol_Version": "2025-11-25"}
        assert self.post(path, done, key, **sent).status_code == 202
        return session

    def say(self, data: bytes, *, seconds: float = 5.0) -> bytes:
        """Bytes to the port as they are; all that comes back until it is closed, or silent."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=seconds) as made:
            made.settimeout(seconds)
            return heard(made, data)

    @property
    def authorization(self) -> bytes:
        return f"authorization: Bearer {self.server.agent_key}\r\n".encode()

    def records(self, **wanted: str) -> list[dict[str, Any]]:
        """What the journal holds of the first agent, newest first."""
        with self.server.http() as http:
            found: list[dict[str, Any]] = http.get("/v1/records", params=wanted).json()["records"]
        return found

    def tamed(self) -> None:
        """Whatever a test said is said no more."""
        self.model.say(lambda _: Turn(text="Hello."))


def heard(made: socket.socket, data: bytes) -> bytes:
    """Everything that is answered."""
    answer = b""
    try:
        made.sendall(data)
        while piece := made.recv(65_536):
            answer += piece
    except (TimeoutError, ConnectionError):
        pass
    return answer


def call(name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """One `tools/call` of the session-based revisions."""
    params = {"name": name, "arguments": {} if arguments is None else arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params, **more}


@contextmanager
def opened(directory: Path, **more: Any) -> Iterator[Scene]:
    """Begun, with its policies; ended by its process ids."""
    directory.mkdir(parents=True, exist_ok=True)
    with scripted() as model, mcp_tools(directory, "--json") as tools:
        (directory / "provider.key").write_text(PROVIDER_KEY)
        file = str(directory / "provider.key")
        upstreams = {
            "openai": {"base_url": f"{model.url}/v1", "key_file": file},
            "anthropic": {"base_url": model.url, "kind": "anthropic", "key_file": file},
        }
        settings = {
            "models": {"upstreams": upstreams},
            "mcp": {"servers": {"demo": {"url": tools.url}}},
            **more,
        }
        (directory / "clearance.yaml").write_text(yaml.safe_dump(settings))
        server = make_server(directory / "store")
        server.directory = directory
        server.start()
        try:
            replace_policies(server, POLICIES)
            yield Scene(server, model, tools, agent_key_of(server, "other"))
        finally:
            if server.process is not None:
                server.stop()


def replace_policies(server: Server, policies: list[dict[str, Any]]) -> None:
    with server.http(admin=True) as admin:
        before = admin.get("/v1/policies").json()["number"]
        answer = admin.put("/v1/policies", json={"document": {"policies": policies}, "expected": before})
        assert answer.status_code == 200, answer.text
