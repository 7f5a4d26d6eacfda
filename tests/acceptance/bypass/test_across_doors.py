"""No rule holds at one door and not at another: one set of rules, one action, every door it can come by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from clearance import Client
from clearance.adapters.identity import new_key
from clearance.adapters.store import SqliteState
from clearance.core.model import Agent, Bounds, Role
from clearance.wiring import utc_now
from tests.acceptance.bypass.scene import CHAT, HI, Scene, call, opened, replace_policies
from tests.doors.approvers import http_of, token_of
from tests.servers.model import Turn
from tests.servers.process import free_port
from tests.servers.web import Web, web_server

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
TOOL = "demo__echo"
TOOLS: list[Any] = [{"type": "function", "function": {"name": TOOL, "parameters": {"type": "object"}}}]
PLAIN = {"text": "hello"}


@dataclass(frozen=True)
class Case:
    """A rule, an action that it is about, and what is recorded of it. `times` it is asked for."""

    policy: dict[str, Any] | None
    arguments: dict[str, Any]
    kind: str
    code: str = ""
    times: int = 1
    brake: str = ""
    bounds: tuple[Bounds, ...] = ()
    is_delegated: bool = False
    redacted: bool = field(default=False)


BLOCK = {"name": "one", "rule": "block"}
CASES: dict[str, Case] = {
    "nothing": Case(None, PLAIN, "intent"),
    "a tool": Case({**BLOCK, "condition": {"tool": TOOL}}, PLAIN, "refusal", "policy_block"),
    "an argument": Case(
        {**BLOCK, "condition": {"argument": {"text": {"matches": "hel+o"}}}}, PLAIN, "refusal", "policy_block"
    ),
    "an argument that is missing": Case(
        {**BLOCK, "condition": {"argument": {"amount": {"exceeds": 5}}, "tool": TOOL}},
        PLAIN,
        "refusal",
        "policy_block",
    ),
    "a domain": Case(
        {**BLOCK, "condition": {"domain": "evil.example", "tool": TOOL}},
        {"text": "a", "url": "https://EVIL.example/x"},
        "refusal",
        "policy_block",
    ),
    "an operation": Case(
        {**BLOCK, "condition": {"operation": "delete", "tool": TOOL}}, PLAIN, "refusal", "policy_block"
    ),
    "an expression": Case(
        {**BLOCK, "condition": {"tool": TOOL}, "when": "arguments.text == 'hello'"},
        PLAIN,
        "refusal",
        "policy_block",
    ),
    "a budget": Case(
        {
            **BLOCK,
            "condition": {
                "tool": TOOL,
                "count_within": {"match": {"tool": TOOL}, "of": "agent", "seconds": 3600, "exceeds": 2},
            },
        },
        PLAIN,
        "refusal",
        "policy_block",
        times=3,
    ),
    "a budget that is not spent": Case(
        {
            **BLOCK,
            "condition": {
                "tool": TOOL,
                "count_within": {"match": {"tool": TOOL}, "of": "agent", "seconds": 3600, "exceeds": 2},
            },
        },
        PLAIN,
        "intent",
        times=2,
    ),
    "redaction": Case(
        {
            "name": "one",
            "rule": "redact",
            "condition": {"tool": TOOL},
            "redact": {"patterns": ["email"]},
        },
        {"text": "ask ann@example.com"},
        "intent",
        redacted=True,
    ),
    "approval": Case(
        {"name": "one", "rule": "require_approval", "condition": {"tool": TOOL}},
        PLAIN,
        "hold",
        "approval_required",
    ),
    "a list of what is allowed": Case(
        {
            "name": "one",
            "rule": "allow",
            "condition": {"any": [{"tool": "other"}, {"operation": "model_call"}]},
        },
        PLAIN,
        "refusal",
        "not_in_scope",
    ),
    "a pause": Case(None, PLAIN, "refusal", "paused", brake="paused"),
    "a quarantine": Case(None, PLAIN, "refusal", "quarantined", brake="quarantined"),
    "the bounds of a key": Case(
        None, PLAIN, "refusal", "out_of_bounds", bounds=(Bounds(operations=("model_call", "admin")),)
    ),
    "a delegation": Case(
        {**BLOCK, "condition": {"on_behalf_of": "maker", "tool": TOOL}},
        PLAIN,
        "refusal",
        "policy_block",
        is_delegated=True,
    ),
}


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with web_server() as web:
        yield web


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, web: Web, port: int) -> Iterator[Scene]:
    egress = {"port": port, "private": ["127.0.0.0/8"], "ports": [web.port]}
    with opened(tmp_path_factory.mktemp("across"), egress=egress) as made:
        yield made


@dataclass(frozen=True)
class Who:
    """An agent of one case at one door, so that nothing is counted that another did."""

    name: str
    key: str
    delegation: str = ""

    @property
    def headers(self) -> dict[str, str]:
        delegated = {"clearance-delegation": self.delegation} if self.delegation else {}
        return {"authorization": f"Bearer {self.key}", **delegated}


def by_sdk(scene: Scene, who: Who, arguments: dict[str, Any]) -> None:
    with Client(scene.server.store, agent=who.name) as client:
        client.check(TOOL, arguments=arguments, honours=("transform",))


def by_http(scene: Scene, who: Who, arguments: dict[str, Any]) -> None:
    body = {"action": TOOL, "arguments": arguments, "honours": ["transform"]}
    httpx.post(f"{scene.server.url}/v1/actions", json=body, headers=who.headers, timeout=10)


def by_model(scene: Scene, who: Who, arguments: dict[str, Any], *, stream: bool = False) -> None:
    scene.model.say(lambda _: Turn(tool_calls=[(TOOL, arguments)]))
    body = {"model": "scripted-1", "messages": HI, "tools": TOOLS, "stream": stream}
    httpx.post(f"{scene.server.url}{CHAT}", json=body, headers=who.headers, timeout=10)


def by_stream(scene: Scene, who: Who, arguments: dict[str, Any]) -> None:
    by_model(scene, who, arguments, stream=True)


def by_mcp(scene: Scene, who: Who, arguments: dict[str, Any], *, path: str = "/mcp/demo") -> None:
    name = "echo" if path == "/mcp/demo" else TOOL
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = call(name, params={"name": name, "arguments": arguments, "_meta": meta})
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name}
    accept = {"accept": "application/json, text/event-stream"}
    httpx.post(
        f"{scene.server.url}{path}", json=body, headers={**who.headers, **headers, **accept}, timeout=10
    )


def by_all_mcp(scene: Scene, who: Who, arguments: dict[str, Any]) -> None:
    by_mcp(scene, who, arguments, path="/mcp")


Door = Callable[[Scene, Who, dict[str, Any]], None]
DOORS: dict[str, Door] = {
    "sdk": by_sdk,
    "http": by_http,
    "model": by_model,
    "stream": by_stream,
    "mcp": by_mcp,
    "all-mcp": by_all_mcp,
}


def enrolled(scene: Scene, case: Case, name: str) -> Who:
    state, at = SqliteState(scene.server.store), utc_now()
    for each in (name, "maker"):
        if state.agents.agent(each) is None:
            state.agents.add_agent(Agent(name=each, created_at=at))
    key, credential = new_key(name, at=at, bounds=case.bounds)
    maker_key, maker = new_key("maker", at=at)
    for each in (credential, maker):
        state.credentials.add_credential(each)
    state.close()
    if not case.is_delegated:
        return Who(name, key)
    with http_of(scene.server, maker_key) as maker_http:
        made = maker_http.post("/v1/delegations", json={"to": name, "bounds": {}})
        assert made.status_code == 201, made.text
    return Who(name, key, made.json()["delegation"])


def decided(scene: Scene, agent: str) -> tuple[str, str, bool]:
    """What is recorded of the agent's last action: of the tool, or of the model call before it."""
    with scene.server.http(admin=True) as admin:
        found = admin.get("/v1/records", params={"agent": agent, "limit": 100}).json()["records"]
    actions = [one for one in found if one["kind"] in ("intent", "refusal", "hold")]
    last = next((one for one in actions if one["tool"] == TOOL), actions[0])
    reasons = last["body"]["decision"]["reasons"]
    code = reasons[0]["code"] if last["kind"] != "intent" else ""
    return last["kind"], code, "ann@example.com" in json.dumps(last["body"]["arguments"])


@pytest.mark.parametrize("name", CASES)
def test_a_rule_decides_the_same_at_every_door(scene: Scene, name: str) -> None:
    case = CASES[name]
    replace_policies(scene.server, [case.policy] if case.policy else [])
    told: dict[str, tuple[str, str, bool]] = {}
    for door, come in DOORS.items():
        if door == "sdk" and (case.bounds or case.is_delegated):
            continue  # in process nobody presents a credential: the process says who it is
        who = enrolled(scene, case, f"{name.replace(' ', '-')}-{door}")
        with scene.server.http(admin=True) as admin:
            if case.brake:
                stop = {"level": case.brake, "reason": "test"}
                assert admin.put(f"/v1/brake/agent/{who.name}", json=stop).status_code == 200
            for _ in range(case.times):
                come(scene, who, case.arguments)
        told[door] = decided(scene, who.name)
    assert set(told.values()) == {(case.kind, case.code, False)}, told
    if case.redacted:
        assert "echo ask ann@example.com" not in scene.tools.calls
        assert "echo ask [redacted:email]" in scene.tools.calls


REQUESTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "intent", ""),
    "a domain": ({**BLOCK, "condition": {"domain": "127.0.0.1"}}, "refusal", "policy_block"),
    "a method": (
        {**BLOCK, "condition": {"tool": "http_request", "operation": "delete"}},
        "refusal",
        "policy_block",
    ),
    "a body": (
        {**BLOCK, "condition": {"argument": {"body": {"matches": "forbidden"}}}},
        "refusal",
        "policy_block",
    ),
    "approval": (
        {"name": "one", "rule": "require_approval", "condition": {"tool": "http_request"}},
        "hold",
        "approval_required",
    ),
    "a budget": (
        {
            **BLOCK,
            "condition": {
                "tool": "http_request",
                "count_within": {
                    "match": {"tool": "http_request"}, "of": "agent", "seconds": 3600, "at_least": 1,
                },
            },
        },
        "refusal",
        "policy_block",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_decided_the_same_through_the_proxy_and_when_it_is_asked_about(
    scene: Scene, web: Web, port: int, name: str
) -> None:
    policy, kind, code = REQUESTS[name]
    replace_policies(scene.server, [policy] if policy else [])
    url, told, before = f"http://127.0.0.1:{web.port}/thing", {}, len(web.seen)
    arguments = {"method": "DELETE", "url": url, "body": "forbidden words"}
    for door in ("sdk", "http", "egress"):
        who = enrolled(scene, CASES["nothing"], f"request-{name.replace(' ', '-')}-{door}")
        match door:
            case "sdk":
                with Client(scene.server.store, agent=who.name) as client:
                    client.check("http_request", arguments=arguments)
            case "http":
                body = {"action": "http_request", "arguments": arguments}
                httpx.post(f"{scene.server.url}/v1/actions", json=body, headers=who.headers)
            case _:
                with httpx.Client(proxy=f"http://-:{who.key}@127.0.0.1:{port}", trust_env=False) as client:
                    client.request("DELETE", url, content="forbidden words")
        told[door] = decided(scene, who.name)[:2]
    assert set(told.values()) == {(kind, code)}, told
    assert len(web.seen) == before + (kind == "intent")


def test_what_was_approved_at_one_door_goes_through_once_at_any_of_them(scene: Scene) -> None:
    replace_policies(scene.server, [{"name": "one", "rule": "require_approval", "condition": {"tool": TOOL}}])
    who = enrolled(scene, CASES["nothing"], "asks-at-two-doors")
    run = httpx.post(f"{scene.server.url}/v1/runs", json={}, headers=who.headers).json()["run_id"]
    body = {"action": TOOL, "arguments": {"text": "once"}, "run_id": run}
    held = httpx.post(f"{scene.server.url}/v1/actions", json=body, headers=who.headers).json()
    with http_of(scene.server, token_of(scene.server, "ann", Role.APPROVER)) as ann:
        shown = ann.get(f"/v1/holds/{held['hold_id']}").json()["shown_hash"]
        assert ann.post(f"/v1/holds/{held['hold_id']}/approve", json={"shown": shown}).status_code == 200
    first = httpx.post(f"{scene.server.url}/v1/actions", json=body, headers=who.headers).json()
    assert first["effect"] == "allow", first
    before = len(scene.tools.calls)
    named = Who(who.name, who.key)
    for path in (f"/r/{run}/mcp/demo", f"/r/{run}/mcp"):
        by_mcp(scene, named, {"text": "once"}, path=path)
    assert len(scene.tools.calls) == before
