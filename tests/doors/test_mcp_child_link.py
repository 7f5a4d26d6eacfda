"""An MCP server on stdio, answered for as an HTTP server would: sessions, sharing, crashes, room."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from clearance.config.mcp import McpServer
from clearance.core.dialects.mcp import VERSION_KEY, write_notification
from clearance.core.dialects.mcp_headers import SESSION
from clearance.gateway.mcp_proxy import child_link
from clearance.gateway.mcp_proxy.child_link import ChildExchange, ChildLink
from clearance.gateway.upstream import UpstreamError

# A server that answers each request with what it read, after `n` progress notifications; `crash` ends it.
SERVER = """
import json, os, sys
def say(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
waiting, cancelled = [], []
for line in sys.stdin:
    asked = json.loads(line)
    method, params = asked.get("method"), asked.get("params", {})
    if method == "crash": os._exit(3)
    if method == "silent": continue
    if method == "together":
        waiting.append(asked)
        if len(waiting) < 2: continue
        for one in reversed(waiting): say(id=one["id"], result={"was": one["params"]["who"]})
        continue
    if method == "notifications/cancelled":
        cancelled.append(params["requestId"])
        say(method="notifications/message", params={})
    if "id" not in asked or method is None: continue
    token = params.get("_meta", {}).get("progressToken")
    for n in range(params.get("n", 0)):
        say(method="notifications/progress", params={"progressToken": token, "progress": n})
    if method == "asks": say(id="from-server", method="ping", params={})
    say(id=asked["id"], result={"pid": os.getpid(), "asked": asked, "cancelled": cancelled})
"""


@asynccontextmanager
async def linked(program: str = SERVER) -> AsyncIterator[ChildLink]:
    link = ChildLink("tested", McpServer(command=(sys.executable, "-c", program)))
    try:
        yield link
    finally:
        await link.close()


def request(number: int | str, method: str, **params: Any) -> bytes:
    """One that would do with a session or without."""
    params["_meta"] = {VERSION_KEY: "2026-07-28", **params.get("_meta", {})}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


async def all_of(exchange: ChildExchange) -> list[dict[str, Any]]:
    return [msgspec.json.decode(frame.message) async for frame in exchange.frames()]


async def answer(link: ChildLink, message: bytes, session: str = "") -> dict[str, Any]:
    exchange = await link.send(message, {SESSION: session} if session else {})
    assert exchange.status == 200
    return (await all_of(exchange))[-1]


async def begun(link: ChildLink) -> tuple[str, int]:
    """A session, and its child."""
    exchange = await link.send(request(1, "initialize"), {})
    [told] = await all_of(exchange)
    return exchange.session_id, told["result"]["pid"]


async def test_each_session_has_a_child_of_its_own() -> None:
    async with linked() as link:
        (one, first), (two, second) = await begun(link), await begun(link)
        assert first != second
        assert (await answer(link, request(2, "who"), one))["result"]["pid"] == first
        assert (await answer(link, request(2, "who"), two))["result"]["pid"] == second


async def test_a_message_of_a_session_reaches_its_child_as_it_was_sent() -> None:
    async with linked() as link:
        session, _ = await begun(link)
        told = await answer(link, request("a-b", "who", _meta={"progressToken": "t"}), session)
    assert told["id"] == "a-b"
    assert told["result"]["asked"]["id"] == "a-b"


async def test_a_session_that_ended_is_not_found_any_more() -> None:
    async with linked() as link:
        session, _ = await begun(link)
        assert await link.end({SESSION: session}) == 200
        assert (await link.send(request(2, "who"), {SESSION: session})).status == 404
        assert (await link.listen({SESSION: session})).status == 404
        assert await link.end({SESSION: session}) == 404


async def test_two_clients_without_a_session_may_use_the_same_id() -> None:
    """They share a child, which would answer both under one id; each is answered with its own."""
    async with linked() as link:
        told = await asyncio.gather(
            answer(link, request(7, "together", who="ann")), answer(link, request(7, "together", who="bob"))
        )
    assert [(one["id"], one["result"]["was"]) for one in told] == [(7, "ann"), (7, "bob")]


async def test_a_server_of_an_older_revision_is_not_asked_in_a_newer_one() -> None:
    """Some would do what they are asked all the same, and answer what no client of the newer one can read."""
    old = SERVER.replace(
        "    token = params",
        "    if method == 'server/discover': say(id=asked['id'], error={}); continue\n    token = params",
    )
    async with linked(old) as link:
        exchange = await link.send(request(5, "tools/call", name="x"), {})
        [told] = await all_of(exchange)
        assert (exchange.status, told["id"], told["error"]["code"]) == (400, 5, -32022)
        assert told["error"]["data"]["code"] == "mcp_not_bridged"
        assert (await begun(link))[0]


async def test_a_request_of_an_older_revision_needs_its_session() -> None:
    async with linked() as link:
        bare = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'
        exchange = await link.send(bare, {})
        assert exchange.status == 400
        assert "session" in (await all_of(exchange))[0]["error"]["message"]


async def test_progress_finds_the_client_that_asked_for_it() -> None:
    async with linked() as link:
        streams = await asyncio.gather(
            *(
                link.send(request(1, "work", n=2, who=who, _meta={"progressToken": "mine"}), {})
                for who in ("ann", "bob")
            )
        )
        for exchange in streams:
            told = await all_of(exchange)
            assert [one.get("method") for one in told] == ["notifications/progress"] * 2 + [None]
            assert {one["params"]["progressToken"] for one in told[:2]} == {"mine"}


async def test_what_names_nobody_is_told_nobody_who_shares_a_child() -> None:
    chatty = SERVER.replace(
        "token = params", "say(method='notifications/message', params={'x': 1}); token = params"
    )
    async with linked(chatty) as link:
        exchange = await link.send(request(1, "who"), {})
        assert not exchange.is_stream
        assert len(await all_of(exchange)) == 1


async def test_a_request_nobody_waits_for_is_cancelled_under_the_childs_own_id() -> None:
    async with linked() as link:
        asking = asyncio.create_task(link.send(request("mine", "silent"), {}))
        await asyncio.sleep(0.3)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        told = await answer(link, request(1, "who"))
    assert told["result"]["asked"]["id"] == 3  # 1 was ours, 2 is what nobody waits for
    assert told["result"]["cancelled"] == [2]


async def test_what_a_server_asks_in_a_session_comes_with_what_is_open_there() -> None:
    async with linked() as link:
        session, _ = await begun(link)
        exchange = await link.send(request(2, "asks"), {SESSION: session})
        assert exchange.is_stream
        assert [one["id"] for one in await all_of(exchange)] == ["from-server", 2]


async def test_what_nobody_asked_for_waits_for_the_listener() -> None:
    async with linked() as link:
        session, _ = await begun(link)
        cancelled = write_notification("notifications/cancelled", {"requestId": 1})
        assert (await link.send(cancelled, {SESSION: session})).status == 202
        await answer(link, request(2, "who"), session)
        listening = await link.listen({SESSION: session})
        assert (await link.listen({SESSION: session})).status == 409
        await link.send(cancelled, {SESSION: session})
        async for frame in listening.frames():
            assert b"notifications/message" in frame.raw
            break
        await listening.aclose()


async def test_a_crash_ends_every_open_call_with_an_error_and_its_session() -> None:
    async with linked() as link:
        session, _ = await begun(link)
        waiting = asyncio.create_task(link.send(request(2, "silent"), {SESSION: session}))
        await asyncio.sleep(0.1)
        with pytest.raises(UpstreamError, match="exit code 3") as crashed:
            await link.send(request(3, "crash"), {SESSION: session})
        assert crashed.value.sent
        with pytest.raises(UpstreamError, match="exit code 3"):
            await waiting
        assert (await link.send(request(4, "who"), {SESSION: session})).status == 404


async def test_after_a_crash_nothing_is_started_for_a_while_that_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child_link, "_FIRST_PAUSE_SECONDS", 0.2)
    async with linked() as link:
        for pause in (0.2, 0.4):
            with pytest.raises(UpstreamError, match="exit code 3"):
                await link.send(request(1, "crash"), {})
            with pytest.raises(UpstreamError, match="started again in") as refused:
                await link.send(request(1, "who"), {})
            assert not refused.value.sent
            await asyncio.sleep(pause)
        assert (await answer(link, request(1, "who")))["id"] == 1


async def test_no_more_children_are_started_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_link, "_MOST_CHILDREN", 2)
    async with linked() as link:
        one, _ = await begun(link)
        await begun(link)
        with pytest.raises(UpstreamError, match="runs 2 times already"):
            await link.send(request(1, "initialize"), {})
        monkeypatch.setattr(child_link, "_SPARE_SECONDS", 0.0)
        await begun(link)
        assert (await link.send(request(2, "who"), {SESSION: one})).status == 404


async def test_a_server_that_cannot_be_started_is_an_error_and_nothing_was_sent() -> None:
    link = ChildLink("absent", McpServer(command=("/no/such/server",)))
    with pytest.raises(UpstreamError, match="absent cannot be started") as refused:
        await link.send(request(1, "initialize"), {})
    assert not refused.value.sent
    await link.close()


async def test_a_session_whose_beginning_nobody_waits_for_leaves_no_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child_link, "_MOST_CHILDREN", 1)
    silent = SERVER.replace('if method == "silent"', 'if method == "initialize"')
    async with linked(silent) as link:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await link.send(request(1, "initialize"), {})
