"""Real MCP servers and real clients, all unmodified, with Clearance between them, over every way there is."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
import yaml
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CreateMessageResult, ElicitResult, TextContent

from clearance.core.model import Role
from tests.conftest import Server, make_server
from tests.doors.approvers import http_of, token_of
from tests.servers import mcp_servers

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]

WAYS = ("wrap", "http", "bridge")
IBAN = "DE89370400440532013000"
POLICIES = [
    {
        "name": "no-secret-files",
        "rule": "block",
        "condition": {"tool": "filesystem__write_file", "argument": {"path": {"matches": "forbidden"}}},
    },
    {
        "name": "no-ibans",
        "rule": "redact",
        "condition": {"tool": "filesystem__write_file"},
        "redact": {"patterns": ["iban"]},
    },
    {"name": "moves-ask", "rule": "require_approval", "condition": {"tool": "filesystem__move_file"}},
    {"name": "no-writes", "rule": "block", "condition": {"tool": "sqlite__write_query"}},
    {"name": "commits-ask", "rule": "require_approval", "condition": {"tool": "git__git_commit"}},
    {
        "name": "not-there",
        "rule": "block",
        "condition": {"tool": "fetch__fetch", "argument": {"url": {"matches": "/private"}}},
    },
]


class Page(BaseHTTPRequestHandler):
    """One page, and a list of what was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = b"<html><body><p>The quick brown fox.</p></body></html>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Office:
    """A control point with every server behind it, and a person who says yes."""

    def __init__(self, directory: Path) -> None:
        self.files = directory / "files"
        self.repository = directory / "repository"
        for one in (self.files, self.repository):
            one.mkdir()
        self.database = mcp_servers.database(directory / "users.db")
        mcp_servers.repository(self.repository)
        self.pulled = directory / "pulled"
        self.directory = directory
        commands = {
            "filesystem": mcp_servers.filesystem(self.files),
            "everything": mcp_servers.everything(),
            "git": mcp_servers.git(self.repository),
            "fetch": mcp_servers.fetch(),
            "sqlite": mcp_servers.sqlite(self.database),
            "changing": mcp_servers.changing(self.pulled),
        }
        servers = {name: {"command": list(command)} for name, command in commands.items()}
        (directory / "clearance.yaml").write_text(yaml.safe_dump({"mcp": {"servers": servers}}))
        self.server: Server = make_server(directory / "store")
        self.server.directory = directory
        self.server.start()
        with self.server.http(admin=True) as admin:
            before = admin.get("/v1/policies").json()["number"]
            wanted = {"document": {"policies": POLICIES}, "expected": before}
            assert admin.put("/v1/policies", json=wanted).status_code == 200
        self._approver = token_of(self.server, "ann", Role.APPROVER)

    def wrapped(self, way: str, name: str, run_id: str = "") -> list[str]:
        """The command of a client that starts its servers."""
        command = [sys.executable, "-m", "clearance", "mcp", "wrap", "--server", name, "--agent", "billing"]
        more = ["--run", run_id] if run_id else []
        if way == "bridge":
            return [*command, *more, "--url", self.server.url, "--api-key", self.server.agent_key]
        return [*command, *more, "--store", str(self.server.store)]

    @asynccontextmanager
    async def client(self, way: str, name: str, *, era: str = "auto", **more: Any) -> AsyncIterator[Client]:
        """The official client, connected."""
        if way != "http":
            command, *arguments = self.wrapped(way, name)
            parameters = StdioServerParameters(
                command=command, args=arguments, cwd=self.directory, env=dict(os.environ)
            )
            async with Client(parameters, mode=era, **more) as client:
                yield client
            return
        headers = {"Authorization": f"Bearer {self.server.agent_key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"{self.server.url}/mcp/{name}".rstrip("/"), http_client=http)
            async with Client(transport, mode=era, **more) as client:
                yield client

    def told(self, *words: str) -> str:
        """What `clearance mcp` answers."""
        command = [sys.executable, "-m", "clearance", "mcp", *words, "--store", str(self.server.store)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def approve(self, hold_id: str) -> None:
        with http_of(self.server, self._approver) as ann:
            shown = ann.get(f"/v1/holds/{hold_id}").json()["shown_hash"]
            answer = ann.post(f"/v1/holds/{hold_id}/approve", json={"shown": shown})
            assert answer.status_code == 200, answer.text

    def trace_of(self, action_id: str) -> list[dict[str, Any]]:
        """The records of the run that an action is in, in order."""
        with self.server.http() as http:
            records = http.get("/v1/records?limit=1000").json()["records"]
            run_id = next(one["run_id"] for one in records if one["action_id"] == action_id)
            trace: list[dict[str, Any]] = http.get(f"/v1/runs/{run_id}/trace").json()["records"]
        return trace


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    opened = Office(tmp_path_factory.mktemp("office"))
    yield opened
    opened.server.stop()


@pytest.fixture
def page() -> Iterator[tuple[str, list[str]]]:
    handler = type("Asked", (Page,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.asked  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def text_of(result: Any) -> str:
    return "".join(part.text for part in result.content if part.type == "text")


def told(result: Any) -> Mapping[str, str]:
    """What Clearance says of a result."""
    assert result.meta is not None, text_of(result)
    found: Mapping[str, str] = result.meta["clearance"]
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_files_are_read_and_written_as_the_policies_say(office: Office, way: str) -> None:
    (office.files / f"{way}.txt").write_text("what is there")
    async with office.client(way, "filesystem") as client:
        assert "write_file" in {tool.name for tool in (await client.list_tools()).tools}
        read = await client.call_tool("read_text_file", {"path": str(office.files / f"{way}.txt")})
        assert "what is there" in text_of(read)
        forbidden = {"path": str(office.files / f"forbidden-{way}"), "content": "x"}
        refused = await client.call_tool("write_file", forbidden)
        assert (refused.is_error, told(refused)["reason_code"]) == (True, "policy_block")
        written = {"path": str(office.files / f"bill-{way}"), "content": f"pay {IBAN} now"}
        assert not (await client.call_tool("write_file", written)).is_error
    assert not (office.files / f"forbidden-{way}").exists()
    assert (office.files / f"bill-{way}").read_text() == "pay [redacted:iban] now"


@pytest.mark.parametrize("way", WAYS)
async def test_a_held_move_happens_once_after_the_yes(office: Office, way: str) -> None:
    source, target = office.files / f"from-{way}", office.files / f"to-{way}"
    source.write_text("moved")
    move = {"source": str(source), "destination": str(target)}
    async with office.client(way, "filesystem") as client:
        held = await client.call_tool("move_file", move)
        assert held.is_error
        assert told(held)["reason_code"] == "approval_required"
        assert "same call again" in text_of(held)
        assert source.exists()
        office.approve(told(held)["hold_id"])
        assert not (await client.call_tool("move_file", move)).is_error
        assert target.exists()
        source.write_text("another")
        assert told(await client.call_tool("move_file", move))["reason_code"] == "approval_required"


@pytest.mark.parametrize("way", WAYS)
async def test_a_blocked_statement_changes_nothing_in_the_database(office: Office, way: str) -> None:
    async with office.client(way, "sqlite", era="legacy") as client:
        read = await client.call_tool("read_query", {"query": "select name from users order by id"})
        assert "ann" in text_of(read)
        refused = await client.call_tool("write_query", {"query": "delete from users"})
        assert told(refused)["reason_code"] == "policy_block"
    with sqlite3.connect(office.database) as connection:
        assert connection.execute("select count(*) from users").fetchone() == (3,)


@pytest.mark.parametrize("way", WAYS)
async def test_a_commit_waits_for_a_person(office: Office, way: str) -> None:
    def commits() -> int:
        command = ["git", "rev-list", "--count", "HEAD"]
        return int(subprocess.run(command, cwd=office.repository, check=True, capture_output=True).stdout)

    (office.repository / f"{way}.txt").write_text("x")
    where, before = {"repo_path": str(office.repository)}, commits()
    async with office.client(way, "git") as client:
        assert client.protocol_version == "2026-07-28"
        assert f"{way}.txt" in text_of(await client.call_tool("git_status", where))
        await client.call_tool("git_add", {**where, "files": [f"{way}.txt"]})
        held = await client.call_tool("git_commit", {**where, "message": "by an agent"})
        assert commits() == before
        office.approve(told(held)["hold_id"])
        assert not (await client.call_tool("git_commit", {**where, "message": "by an agent"})).is_error
    assert commits() == before + 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_page_that_is_blocked_is_never_asked_for(
    office: Office, way: str, page: tuple[str, list[str]]
) -> None:
    url, asked = page
    async with office.client(way, "fetch") as client:
        assert "quick brown fox" in text_of(await client.call_tool("fetch", {"url": f"{url}/public"}))
        refused = await client.call_tool("fetch", {"url": f"{url}/private"})
        assert told(refused)["reason_code"] == "policy_block"
    assert "/public" in asked
    assert "/private" not in asked


@pytest.mark.parametrize("way", WAYS)
async def test_resources_and_prompts_pass_and_are_recorded(office: Office, way: str) -> None:
    async with office.client(way, "everything") as client:
        assert client.protocol_version == "2025-11-25"
        resource = (await client.list_resources()).resources[0]
        assert (await client.read_resource(resource.uri)).contents
        assert (await client.list_resource_templates()).resource_templates
        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
        assert "simple-prompt" in prompts
        assert (await client.get_prompt("simple-prompt")).messages
        echoed = await client.call_tool("echo", {"message": "here"})
    tools = [record["tool"] for record in office.trace_of(told(echoed)["action_id"]) if record.get("tool")]
    assert "everything__resources_read" in tools
    assert "everything__prompts_get" in tools


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_may_ask_the_clients_model_and_its_user(office: Office, way: str) -> None:
    async def think(_: Any, params: Any) -> CreateMessageResult:
        content = TextContent(type="text", text="forty-two")
        return CreateMessageResult(role="assistant", content=content, model="scripted", stop_reason="endTurn")

    async def answer(_: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="decline")

    more = {"sampling_callback": think, "elicitation_callback": answer}
    async with office.client(way, "everything", era="legacy", **more) as client:
        await asyncio.sleep(0.5)  # its tools come once it has asked what the client can
        thought = await client.call_tool("trigger-sampling-request", {"prompt": "think", "maxTokens": 10})
        assert "forty-two" in text_of(thought)
        asked = await client.call_tool("trigger-elicitation-request", {})
        assert "declin" in text_of(asked).lower()
    trace = office.trace_of(told(thought)["action_id"])
    tools = [record["tool"] for record in trace if record["kind"] == "intent"]
    asked_and_answered = ["everything__sampling", "everything__sampling_answer"]
    assert [tool for tool in tools if "sampling" in tool][1:] == asked_and_answered
    assert tools[-2:] == ["everything__elicitation", "everything__elicitation_answer"]


@pytest.mark.parametrize("way", WAYS)
async def test_every_intent_is_recorded_before_its_outcome_and_in_one_run(office: Office, way: str) -> None:
    async with office.client(way, "everything") as client:
        results = [await client.call_tool("get-sum", {"a": number, "b": 1}) for number in range(5)]
    trace = office.trace_of(told(results[0])["action_id"])
    for result in results:
        kinds = [one["kind"] for one in trace if one["action_id"] == told(result)["action_id"]]
        assert kinds == ["intent", "outcome"]


async def test_a_tool_that_changes_what_it_says_is_not_run_until_it_is_accepted(office: Office) -> None:
    for way in WAYS:
        async with office.client(way, "changing") as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["add"]
            assert text_of(await client.call_tool("add", {"a": 1, "b": 2})) == "3"
    office.pulled.touch()
    # The door's own child of the stateless revision lives on and says what it said: a session has a new one.
    for way in WAYS:
        async with office.client(way, "changing", era="legacy") as client:
            assert (await client.list_tools()).tools == []
            refused = await client.call_tool("add", {"a": 1, "b": 2})
            assert (refused.is_error, told(refused)["reason_code"]) == (True, "tool_changed")
    shown = office.told("pins")
    assert "changed" in shown
    assert "id_rsa" in shown
    office.told("accept", "changing", "add")
    for way in WAYS:
        async with office.client(way, "changing", era="legacy") as client:
            await client.list_tools()
            assert text_of(await client.call_tool("add", {"a": 1, "b": 2})) == "3"


async def test_all_servers_are_behind_one_address(office: Office) -> None:
    async with office.client("http", "", era="legacy") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"filesystem__write_file", "everything__echo", "git__git_status"} <= names
        assert text_of(await client.call_tool("everything__echo", {"message": "hi"})) == "Echo: hi"
        refused = await client.call_tool("sqlite__write_query", {"query": "delete from users"})
        assert told(refused)["reason_code"] == "policy_block"


@pytest.mark.parametrize("way", WAYS)
def test_the_inspector_sees_what_it_may_and_is_told_what_it_may_not(office: Office, way: str) -> None:
    def inspected(name: str, *words: str) -> dict[str, Any]:
        if way == "http":
            header = f"Authorization: Bearer {office.server.agent_key}"
            url = f"{office.server.url}/mcp/{name}"
            where = ["--server-url", url, "--transport", "http", "--header", header]
            command = [*mcp_servers.inspector(), *where, *words]
        else:
            path = os.environ.get("PYTHONPATH")  # it passes on what it is told to
            ours = ["-e", f"PYTHONPATH={path}"] if path else []
            command = [*mcp_servers.inspector(), *words, *ours, "--", *office.wrapped(way, name)]
        environment = {**os.environ, "HOME": str(office.directory)}
        done = subprocess.run(
            command, cwd=office.directory, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    tools = inspected("everything", "--method", "tools/list")["tools"]
    assert "echo" in {tool["name"] for tool in tools}
    said = ["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello"]
    assert inspected("everything", *said)["content"][0]["text"] == "Echo: hello"
    refused = inspected(
        "filesystem",
        "--method",
        "tools/call",
        "--tool-name",
        "write_file",
        "--tool-arg",
        f"path={office.files}/forbidden-inspector",
        "content=x",
    )
    assert refused["isError"]
    assert not (office.files / "forbidden-inspector").exists()
