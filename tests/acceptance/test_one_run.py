"""One agent program through every door is one run: one ordered trace, however it says which run it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from clearance import Client
from tests.doors.house import House, house
from tests.servers.agent import ECHO, GOAL
from tests.servers.mcp_tools import ROOT
from tests.servers.model import Turn

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
# In the order in which one thing led to the other.
STORY = [
    ("run_started", "", ""),
    ("intent", "chat_completions", "model_proxy"),
    ("intent", "remote__echo", "model_proxy"),  # asked for by the model, before the agent sees it
    ("outcome", "chat_completions", ""),
    ("intent", "remote__echo", "mcp_proxy"),
    ("outcome", "remote__echo", ""),
    ("outcome", "remote__echo", ""),  # the model is told what came of it
    ("intent", "chat_completions", "model_proxy"),
    ("outcome", "chat_completions", ""),
    ("intent", "messages", "model_proxy"),
    ("outcome", "messages", ""),
    ("intent", "http_request", "egress_proxy"),
    ("outcome", "http_request", ""),
    ("intent", "read_file", "http"),
    ("outcome", "read_file", ""),
]


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        made.model.say(Turn(tool_calls=[("remote__echo", {"text": "a note"})]), Turn(text="It says: a note."))
        made.model.say(Turn(text="It is so."))
        yield made


def environment(doors: House, way: str, run_id: str) -> dict[str, str]:
    """What the program is given; only `path` and `header` name the run."""
    named = {
        "header": {"clearance-run": run_id},
        "traceparent": {"traceparent": f"00-{TRACE_ID}-{'b7' * 8}-01"},
    }
    base, key = doors.server.url + (f"/r/{run_id}" if way == "path" else ""), doors.server.agent_key
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT)),
        "OPENAI_BASE_URL": f"{base}/openai/v1",
        "OPENAI_API_KEY": key,
        "ANTHROPIC_BASE_URL": f"{base}/anthropic",
        "ANTHROPIC_API_KEY": key,
        "CLEARANCE_URL": doors.server.url,
        "CLEARANCE_API_KEY": key,
        "CLEARANCE_MCP_URL": f"{base}/mcp",
        **({} if way == "traceparent" else {"CLEARANCE_RUN_ID": run_id}),
        "HTTP_PROXY": doors.proxy_in(run_id if way != "traceparent" else "-"),
        "NO_PROXY": "127.0.0.1",
        "HEADERS": json.dumps(named.get(way, {})),
        "PAGE": doors.page("ok"),
    }


def run_agent(doors: House, environment: dict[str, str], *before: str) -> str:
    command = [*before, sys.executable, "-m", "tests.servers.agent"]
    done = subprocess.run(
        command,
        cwd=doors.directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def story_of(trace: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["kind"], one["tool"], one["body"].get("door", "")) for one in trace]


def check(trace: list[dict[str, Any]]) -> None:
    assert [one["seq"] for one in trace] == list(range(1, len(trace) + 1))
    assert trace[0]["body"]["goal"] == GOAL
    asked = [one["body"] for one in trace if one["kind"] == "intent" and one["tool"] == "chat_completions"]
    roles = [[one["role"] for one in body["arguments"]["messages"]] for body in asked]
    assert roles == [["user"], ["tool"]], "a call records what is new of its conversation"
    proposal, call = (one for one in trace if one["kind"] == "intent" and one["tool"] == "remote__echo")
    assert call["body"]["takes_up"]
    assert call["body"]["parent_id"] == proposal["action_id"]
    assert {one["status"] for one in trace if one["kind"] == "outcome"} == {"succeeded"}


@pytest.mark.parametrize("way", ["path", "header", "traceparent"])
def test_whatever_names_the_run_its_trace_is_one_story(doors: House, way: str) -> None:
    doors.server.start()
    run_id = ""
    if way != "traceparent":
        with doors.server.http() as http:
            run_id = http.post("/v1/runs", json={"goal": GOAL}).json()["run_id"]
    found = run_agent(doors, environment(doors, way, run_id))
    assert found.startswith(f"trace_{TRACE_ID}_") if way == "traceparent" else found == run_id
    trace = doors.trace(found)
    ends = [("run_ended", "", "")] if way == "traceparent" else []  # elsewhere it is somebody else's to end
    assert story_of(trace) == [*STORY, *ends]
    check(trace)
    shown = subprocess.run(
        [sys.executable, "-m", "clearance", "trace", found, "--store", str(doors.server.store)],
        cwd=doors.directory, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert GOAL in shown
    for name in ("chat_completions", "remote__echo", "messages", "read_file", "http_request"):
        assert name in shown
    for door in ("model_proxy", "mcp_proxy", "egress_proxy"):
        assert door in shown


def test_clearance_run_joins_it_all(doors: House) -> None:
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    run = ["run", "--store", str(doors.server.store), "--isolate", "off", "--goal", GOAL, "--"]
    found = run_agent(doors, {**given, "PAGE": doors.page("ok")}, sys.executable, "-m", "clearance", *run)
    with Client(doors.server.store) as client:
        trace = [
            {"seq": one.seq, "kind": one.kind.value, "tool": one.tool, "body": one.decoded(),
             "action_id": one.action_id, "status": one.status}
            for one in client.trace(found)
        ]  # fmt: skip
    assert story_of(trace) == [*STORY, ("run_ended", "", "")]
    check(trace)


async def test_without_any_name_what_it_carries_joins_it(doors: House) -> None:
    doors.server.start()
    look_up = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    tools: Any = [ECHO, look_up]
    doors.model._turns.clear()
    doors.model.say(Turn(tool_calls=[("remote__echo", {"text": "a note"}), ("look_up", {"what": "x"})]))
    messages: list[Any] = [{"role": "user", "content": GOAL}]
    model = OpenAI(base_url=f"{doors.server.url}/openai/v1", api_key=doors.server.agent_key, max_retries=0)
    ask = model.chat.completions.with_raw_response.create
    first = ask(model="scripted-1", messages=messages, tools=tools)
    said = first.parse().choices[0].message
    async with doors.mcp() as client:
        await client.call_tool("echo", {"text": "a note"})
    with doors.server.http() as http:
        done = http.post("/v1/actions", json={"action": "look_up", "arguments": {"what": "x"}}).json()
        http.post(f"/v1/actions/{done['action_id']}/outcome", json={"status": "succeeded", "result": 3})
    messages.append(said.model_dump(exclude_none=True))
    for call in said.tool_calls or ():
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "3"})
    second = ask(model="scripted-1", messages=messages, tools=tools)
    run_id = first.headers["clearance-run"]
    assert (second.headers["clearance-run"], done["run_id"]) == (run_id, run_id)
    trace = doors.trace(run_id)
    assert [one["seq"] for one in trace] == list(range(1, len(trace) + 1))
    acted = [(one["tool"], one["body"].get("door")) for one in trace if one["kind"] == "intent"]
    assert acted == [
        ("chat_completions", "model_proxy"), ("remote__echo", "model_proxy"), ("look_up", "model_proxy"),
        ("remote__echo", "mcp_proxy"), ("look_up", "http"), ("chat_completions", "model_proxy"),
    ]  # fmt: skip
