"""SIGTERM with clients at every door: nothing new, what can end ends, the rest is told; then a restart."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from clearance.adapters.store import SqliteJournal
from clearance.core.model import RecordKind
from clearance.ports import RecordQuery
from tests.doors.house import PLAIN, House, house
from tests.servers.model import Asked, Turn

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
SHORT, LONG = 5.0, 30.0  # seconds; a child takes a while to start


def scripted_to_last(asked: Asked) -> Turn:
    seconds = LONG if b"long" in asked.raw else SHORT
    text = "a word and another, to the end"
    if asked.body.get("stream"):
        return Turn(text=text, piece=1, delay=seconds / len(text))
    return Turn(text=text, wait=seconds)


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        made.model.say(scripted_to_last)
        made.server.start()
        yield made


def client_of(doors: House, **more: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{doors.server.url}/openai/v1",
        api_key=doors.server.agent_key,
        http_client=httpx.AsyncClient(verify=PLAIN, timeout=40),
        **{"max_retries": 0, **more},
    )


def asking(word: str) -> Any:
    return {"model": "scripted-1", "messages": [{"role": "user", "content": f"{word}, please"}]}


async def whole(doors: House, word: str) -> str:
    async with client_of(doors) as client:
        answer = await client.chat.completions.create(**asking(word))
    return answer.choices[0].message.content or ""


async def streamed(doors: House, word: str) -> str:
    text = ""
    async with client_of(doors) as client:
        async for chunk in await client.chat.completions.create(**asking(word), stream=True):
            text += chunk.choices[0].delta.content or "" if chunk.choices else ""
    return text


async def tool(doors: House, word: str, name: str, era: str) -> str:
    async with doors.mcp(name, era=era, seconds=40) as client:
        await client.list_tools()  # it looks results up there, and would ask a server that is gone
        result = await client.call_tool("sleep", {"seconds": LONG if word == "long" else 2 * SHORT})
        return "".join(part.text for part in result.content)


async def page(doors: House, word: str) -> str:
    async with httpx.AsyncClient(proxy=doors.proxy, verify=PLAIN, timeout=40) as client:
        return (await client.get(doors.page(f"slow?seconds={LONG if word == 'long' else SHORT}"))).text


async def everything(doors: House, word: str) -> dict[str, Any]:
    """What each client got: a text or an error."""
    asked = {
        "child": tool(doors, word, "child", "legacy"),
        "whole": whole(doors, word),
        "stream": streamed(doors, word),
        "remote": tool(doors, word, "remote", "2026-07-28"),
        "session": tool(doors, word, "remote", "legacy"),
        "page": page(doors, word),
    }
    tasks = []
    for call in asked.values():
        await under_way(doors, len(tasks))  # those before it; of the last, who stops the server asks
        tasks.append(asyncio.create_task(call))
    return dict(zip(asked, await asyncio.gather(*tasks, return_exceptions=True), strict=True))


async def under_way(doors: House, calls: int) -> None:
    """Until so many are cleared and none has ended."""
    async with httpx.AsyncClient(
        base_url=doors.server.url, headers={"authorization": f"Bearer {doors.server.admin_key}"}
    ) as http:
        for _ in range(500):
            page = (await http.get("/metrics")).text
            if f"clearance_in_flight {calls}" in page:
                return
            await asyncio.sleep(0.02)
    raise AssertionError("not under way")


def open_actions(doors: House) -> set[str]:
    journal = SqliteJournal(doors.server.store)
    try:
        assert journal.verify().problems == ()
        found = {
            kind: {one.action_id for one in journal.search(RecordQuery(kind=kind.value, limit=10_000))}
            for kind in (RecordKind.INTENT, RecordKind.OUTCOME)
        }
        return found[RecordKind.INTENT] - found[RecordKind.OUTCOME]
    finally:
        journal.close()


async def stopped(doors: House, word: str) -> tuple[dict[str, Any], float]:
    """What the clients got of a server that was told to stop while it answered them; and how long it took."""
    asked = asyncio.create_task(everything(doors, word))
    await under_way(doors, 6)
    process = doors.server.process
    assert process is not None
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.3)
    with pytest.raises((openai.APIConnectionError, openai.InternalServerError)):
        await whole(doors, "new")
    with pytest.raises((httpx.ConnectError, httpx.ProxyError, httpx.RemoteProtocolError)):
        await page(doors, "new")
    found = await asked
    assert await asyncio.to_thread(process.wait, 20) == 0
    took = time.monotonic() - began
    doors.server.kill()
    return found, took


async def test_what_is_under_way_ends_by_itself_where_it_can(doors: House) -> None:
    doors.server.stop()
    doors.configure(drain_seconds=25)
    doors.server.start()
    found, took = await stopped(doors, "short")
    text = "a word and another, to the end"
    assert found == {
        "whole": text, "stream": text, "remote": "rested", "session": "rested", "child": "rested",
        "page": "slowly..",
    }  # fmt: skip
    assert took < 20
    assert open_actions(doors) == set()


async def test_what_does_not_end_is_told_so_and_recorded(doors: House) -> None:
    found, took = await stopped(doors, "long")
    assert isinstance(found["whole"], openai.InternalServerError)
    assert (found["whole"].status_code, found["whole"].code) == (503, "shutting_down")
    assert isinstance(found["stream"], openai.APIError)
    assert found["stream"].code == "shutting_down"
    for name in ("remote", "session", "child"):
        assert "Clearance stopped before the MCP server answered" in str(found[name]), name
    assert isinstance(found["page"], httpx.RemoteProtocolError)
    assert took < 12
    assert open_actions(doors) == set()
    records = SqliteJournal(doors.server.store)
    told = records.search(RecordQuery(kind="outcome", limit=100))
    records.close()
    assert {one.tool: one.status for one in told if "sleep" not in one.tool} == {
        "chat_completions": "failed", "http_request": "failed",
    }  # fmt: skip
    assert {one.status for one in told if "sleep" in one.tool} == {"unknown"}


async def test_a_client_that_retries_goes_on_in_its_run_after_a_restart(doors: House) -> None:
    look_up = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    doors.model.say(Turn(tool_calls=[("look_up", {"what": "x"})]))
    messages: list[Any] = [{"role": "user", "content": "short: what is x?"}]
    async with client_of(doors, max_retries=8) as client:
        ask = client.chat.completions.with_raw_response.create
        first = await ask(model="scripted-1", messages=messages, tools=[look_up])
        said = first.parse().choices[0].message
        assert said.tool_calls
        messages += [
            said.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "x is 3"},
        ]
        assert doors.server.stop() == 0
        starting = threading.Timer(0.5, doors.server.start)
        starting.start()
        second = await ask(model="scripted-1", messages=messages, tools=[look_up])
        await asyncio.to_thread(starting.join)
    run_id = first.headers["clearance-run"]
    assert second.headers["clearance-run"] == run_id
    assert second.parse().choices[0].message.content == "a word and another, to the end"
    trace = doors.trace(run_id)
    assert [one["seq"] for one in trace] == list(range(1, len(trace) + 1))
    asked = [one["body"] for one in trace if one["kind"] == "intent" and one["operation"] == "model_call"]
    assert [len(one["arguments"]["messages"]) for one in asked] == [1, 1]
