"""Changed settings of the doors, taken up while calls are under way: those end as they began."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
from mcp import MCPError

from tests.doors.house import PAGES, PLAIN, House, house
from tests.servers.model import Turn, scripted
from tests.servers.process import free_port

pytestmark = pytest.mark.servers
TEXT = "a word and another, to the end"
LASTS = 6.0  # seconds: longer than it takes to notice a changed file


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as made:
        made.model.say(lambda asked: Turn(text=TEXT, piece=1, delay=LASTS / len(TEXT)))
        made.server.start()
        yield made


@pytest.fixture(autouse=True)
async def as_before(doors: House) -> AsyncIterator[None]:
    yield
    await changed(doors)


def reloads(doors: House, result: str) -> float:
    with doors.server.http(admin=True) as http:
        page = http.get("/metrics").text
    wanted = f'clearance_reloads_total{{result="{result}"}} '
    return next((float(line.split()[-1]) for line in page.splitlines() if line.startswith(wanted)), 0.0)


def until(holds: Any) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline, "it was not taken up"
        time.sleep(0.05)


async def changed(doors: House, result: str = "applied", **settings: Any) -> None:
    """Write the settings, and return once they are in force, or refused."""
    before = await asyncio.to_thread(reloads, doors, result)
    doors.configure(**settings)
    await asyncio.to_thread(until, lambda: reloads(doors, result) > before)


def ask(doors: House, **more: Any) -> Any:
    client = openai.AsyncOpenAI(
        base_url=f"{doors.server.url}/openai/v1",
        api_key=doors.server.agent_key,
        max_retries=0,
        http_client=httpx.AsyncClient(verify=PLAIN, timeout=30),
    )
    messages: Any = [{"role": "user", "content": "Say it."}]
    return client.chat.completions.create(model="scripted-1", messages=messages, **more)


async def text_of(stream: Any) -> str:
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


async def test_a_stream_ends_as_it_began_and_the_next_call_goes_to_the_new_provider(doors: House) -> None:
    with scripted() as other:
        other.say(lambda asked: Turn(text="from the other"))
        stream = await ask(doors, stream=True)
        reading = asyncio.create_task(text_of(stream))
        key = str(doors.directory / "provider.key")
        upstreams = {"openai": {"base_url": f"{other.url}/v1", "key_file": key}}
        await changed(doors, models={"upstreams": upstreams})
        assert not reading.done(), "the stream ended too early to tell"
        answer = await ask(doors)
        assert answer.choices[0].message.content == "from the other"
        assert await reading == TEXT


async def test_a_provider_whose_key_is_missing_changes_nothing(doors: House) -> None:
    upstreams = {"openai": {"base_url": f"{doors.model.url}/v1", "key_file": "no-such-file"}}
    await changed(doors, "refused", models={"upstreams": upstreams}, egress={})
    assert (await ask(doors)).choices[0].message.content == TEXT
    async with httpx.AsyncClient(proxy=doors.proxy, verify=PLAIN) as client:  # of the same file: not closed
        assert (await client.get(doors.page("ok"))).status_code == 200


async def test_an_mcp_server_that_is_taken_out_answers_what_it_was_asked_and_nothing_new(
    doors: House,
) -> None:
    async with doors.mcp("remote", era="legacy") as client, doors.mcp("child", era="legacy") as other:
        for one in (client, other):
            await one.list_tools()  # it looks results up there, and would ask a server that is gone
        calls = [asyncio.create_task(one.call_tool("sleep", {"seconds": LASTS})) for one in (client, other)]
        await asyncio.sleep(0.3)
        await changed(doors, mcp={"servers": {"added": {"url": doors.tools.url}}})
        assert not any(call.done() for call in calls), "they ended too early to tell"
        for call in calls:
            assert [part.text for part in (await call).content] == ["rested"]
        with pytest.raises(MCPError):
            await client.call_tool("echo", {"text": "late"})
    async with doors.mcp("added") as client:
        assert not (await client.call_tool("echo", {"text": "hi"})).is_error


async def test_the_egress_proxy_moves_to_another_port_and_what_was_begun_goes_on(doors: House) -> None:
    moved = free_port()
    async with httpx.AsyncClient(proxy=doors.proxy, verify=PLAIN, timeout=30) as client:
        slow = asyncio.create_task(client.get(doors.page(f"slow?seconds={LASTS}")))
        await asyncio.sleep(0.3)
        await changed(doors, egress={**doors.settings()["egress"], "port": moved})
        assert not slow.done(), "it ended too early to tell"
        with pytest.raises(httpx.ConnectError):
            await httpx.AsyncClient(proxy=doors.proxy, verify=PLAIN).get(doors.page("ok"))
        proxy = doors.proxy.replace(str(doors.egress), str(moved))
        async with httpx.AsyncClient(proxy=proxy, verify=PLAIN) as other:
            assert (await other.get(doors.page("ok"))).status_code == 200
        assert (await slow).text == "slowly.."


async def test_a_network_that_is_allowed_no_more_is_closed_on_connections_that_are_open(doors: House) -> None:
    async with httpx.AsyncClient(proxy=doors.proxy, verify=PLAIN) as client:
        assert (await client.get(doors.page("ok"))).status_code == 200
        await changed(doors, egress={**doors.settings()["egress"], "private": ["10.0.0.0/8"]})
        refused = await client.get(f"http://{PAGES}:{doors.web.port}/ok")
        assert (refused.status_code, refused.headers["clearance-reason"]) == (403, "destination_private")
