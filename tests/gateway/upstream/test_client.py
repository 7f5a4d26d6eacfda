"""The client towards upstreams: streaming, keeping, bounding, giving up. Every server is a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator

import pytest

from clearance.gateway.upstream import Origin, OutRequest, UpstreamClient, UpstreamError
from tests.gateway.upstream.conftest import Serve, answering, get, post, request_of, until

pytestmark = pytest.mark.servers  # takes its time

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_an_answer_comes_with_its_status_headers_and_body(serve: Serve, client: UpstreamClient) -> None:
    answer = b"HTTP/1.1 418 I'm a teapot\r\nX-One: a\r\nx-one: b \r\nContent-Length: 3\r\nEmpty:\r\n\r\nabc"
    response = await client.send((await serve(answering(answer))).origin, get())
    assert (response.status, response.reason) == (418, b"I'm a teapot")
    assert response.headers == [
        (b"x-one", b"a"),
        (b"x-one", b"b"),
        (b"content-length", b"3"),
        (b"empty", b""),
    ]
    assert await response.read(3) == b"abc"


async def test_a_request_has_our_framing_and_none_of_its_senders(
    serve: Serve, client: UpstreamClient
) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(HELLO)

    server = await serve(handle)
    headers = (
        (b"Host", b"evil"),
        (b"Content-Length", b"99"),
        (b"Transfer-Encoding", b"x"),
        (b"X-Kept", b"1"),
    )
    await (await client.send(server.origin, OutRequest(b"POST", b"/p?q=1", headers, b"body"))).read(9)
    head, body = seen[0]
    assert head == (
        b"POST /p?q=1 HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nX-Kept: 1\r\ncontent-length: 4\r\n\r\n"
        % server.origin.port
    )
    assert body == b"body"


@pytest.mark.parametrize(
    "request_",
    [
        OutRequest(b"GET", b"/ HTTP/1.1\r\nx: y"),
        OutRequest(b"GET", b"/a b"),
        OutRequest(b"GET\r\n", b"/"),
        OutRequest(b"GET", b"/", ((b"a", b"b\r\nc: d"),)),
        OutRequest(b"GET", b"/", ((b"a", b"b\nc: d"),)),
        OutRequest(b"GET", b"/", ((b"a\r\nb", b"c"),)),
        OutRequest(b"GET", b"/", ((b"a: b\r", b"c"),)),
        OutRequest(b"GET", b"/", ((b"a", b"\0"),)),
        OutRequest(b"GET", b"/", ((b"transfer-encoding ", b"chunked"),)),
        OutRequest(b"GET", b"/", ((b"", b"c"),)),
    ],
)
async def test_a_request_that_would_be_read_as_two_is_never_sent(
    serve: Serve, client: UpstreamClient, request_: OutRequest
) -> None:
    server = await serve(answering(HELLO))
    with pytest.raises(ValueError, match="holds a character"):
        await client.send(server.origin, request_)
    assert server.connections == 0


async def test_a_piece_arrives_before_the_next_is_sent(serve: Serve, client: UpstreamClient) -> None:
    read = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED)
        for index in range(20):
            writer.write(b"2\r\n%02d\r\n" % index)
            await asyncio.wait_for(read.wait(), 1)
            read.clear()
        writer.write(b"0\r\n\r\n")

    response = await client.send((await serve(handle)).origin, post())
    pieces = []
    async for piece in response:
        pieces.append(piece)
        read.set()
    assert pieces == [b"%02d" % index for index in range(20)]


async def test_a_thousand_requests_take_one_connection(serve: Serve, client: UpstreamClient) -> None:
    server = await serve(answering(HELLO, CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", HELLO))
    for _ in range(1_000):
        assert await (await client.send(server.origin, post())).read(5) in (b"hello", b"abc")
    assert server.connections == 1


@pytest.mark.parametrize("framing", ["length", "chunked", "until_close"])
async def test_ten_megabytes_come_back_as_they_were_sent(
    serve: Serve, client: UpstreamClient, framing: str
) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, body = await request_of(reader)
        match framing:
            case "length":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            case "chunked":
                writer.write(CHUNKED)
                for start in range(0, len(body), 65_000):
                    piece = body[start : start + 65_000]
                    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    await writer.drain()
                writer.write(b"0\r\n\r\n")
            case _:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
        await writer.drain()

    body = bytes(range(256)) * (10 << 12)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    server = await serve(echo)
    for sent, length in ((body, None), (pieces(), None), (pieces(), len(body))):
        response = await client.send(server.origin, OutRequest(b"POST", b"/", (), sent, length))
        assert await response.read(len(body)) == body


async def test_a_body_of_another_length_than_was_said_is_not_whole(
    serve: Serve, client: UpstreamClient
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"

    server = await serve(answering(HELLO))
    for length in (2, 4):
        with pytest.raises(ValueError, match="another length"):
            await client.send(server.origin, OutRequest(b"POST", b"/", (), pieces(), length))


async def test_a_sender_that_fails_ends_the_exchange_with_its_own_error(
    serve: Serve, client: UpstreamClient
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        raise KeyError("gone")

    server = await serve(answering(HELLO))
    with pytest.raises(KeyError):
        await client.send(server.origin, OutRequest(b"POST", b"/", (), pieces()))
    await until(lambda: server.open_now == 0)


async def test_an_answer_that_comes_early_is_given_and_its_connection_not_kept(
    serve: Serve, client: UpstreamClient
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    server = await serve(handle)
    response = await client.send(server.origin, OutRequest(b"POST", b"/", (), pieces()))
    assert (response.status, await response.read(0)) == (413, b"")
    await until(lambda: server.open_now == 0)


async def test_a_slow_reader_holds_the_sender_back(serve: Serve, client: UpstreamClient) -> None:
    written = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
        for _ in range(64):
            writer.write(bytes(1 << 20))
            await writer.drain()
            written += 1

    response = await client.send((await serve(handle)).origin, get())
    await asyncio.sleep(0.3)
    assert written < 32  # what the kernel and one buffer hold
    assert sum([len(piece) async for piece in response]) == 64 << 20


async def test_an_answer_that_nobody_reads_does_not_hold_up_the_next_on_its_connection(
    serve: Serve, client: UpstreamClient
) -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (270 << 10) + bytes(270 << 10)
    server = await serve(answering(large, HELLO))
    unread = await client.send(server.origin, get())
    await until(lambda: unread.ended)
    assert await asyncio.wait_for((await client.send(server.origin, get())).read(5), 2) == b"hello"
    assert server.connections == 1
    assert len(await unread.read(270 << 10)) == 270 << 10


async def test_a_slow_upstream_holds_our_sender_back(serve: Serve, client: UpstreamClient) -> None:
    produced = 0
    go_on = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal produced
        for _ in range(24):
            produced += 1
            yield bytes(1 << 20)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        assert len((await request_of(reader))[1]) == 24 << 20
        writer.write(HELLO)

    server = await serve(handle)
    sending = asyncio.create_task(client.send(server.origin, OutRequest(b"PUT", b"/", (), pieces())))
    await asyncio.sleep(0.3)
    assert produced < 16
    go_on.set()
    assert (await sending).status == 200


@pytest.mark.parametrize("when", ["before the head", "in the body", "aclose"])
async def test_giving_up_is_seen_by_the_upstream_at_once(
    serve: Serve, client: UpstreamClient, when: str
) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        if when != "before the head":
            writer.write(CHUNKED + b"1\r\nx\r\n")
        asked.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        gone.set()

    async def read(origin: Origin) -> None:
        response = await client.send(origin, post())
        await anext(response)
        if when == "aclose":
            await response.aclose()
            await asyncio.sleep(60)
        await anext(response)

    task = asyncio.create_task(read((await serve(handle)).origin))
    await asked.wait()
    await asyncio.sleep(0.05)
    if when != "aclose":
        task.cancel()
    await asyncio.wait_for(gone.wait(), 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_is_silent_for_too_long_is_given_up(serve: Serve) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await request_of(reader)
        if b"/body" in head:
            writer.write(CHUNKED + b"1\r\nx\r\n")
        await reader.read()

    server = await serve(handle)
    client = UpstreamClient(timeout_seconds=0.2)
    with pytest.raises(UpstreamError) as silent:
        await client.send(server.origin, get(b"/head"))
    response = await client.send(server.origin, get(b"/body"))
    with pytest.raises(UpstreamError) as broken_off:
        await response.read(9)
    assert [error.value.reason for error in (silent, broken_off)] == ["upstream_timeout"] * 2
    assert silent.value.sent
    assert silent.value.status == 504
    await client.close()


async def test_a_long_answer_is_not_a_silent_one(serve: Serve) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED)
        for _ in range(8):
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.1)
        writer.write(b"0\r\n\r\n")

    client = UpstreamClient(timeout_seconds=0.4)
    assert await (await client.send((await serve(handle)).origin, get())).read(8) == b"x" * 8
    await client.close()


async def test_connections_are_bounded_and_who_finds_none_is_told(serve: Serve) -> None:
    release = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            await release.wait()
            writer.write(HELLO)

    async def ask() -> bytes:
        return await (await client.send(server.origin, post())).read(5)

    server = await serve(handle)
    client = UpstreamClient(most_connections=3, connect_timeout_seconds=0.3)
    asking = [asyncio.create_task(ask()) for _ in range(5)]
    late = await asyncio.gather(*asking[3:], return_exceptions=True)
    assert {error.reason for error in late if isinstance(error, UpstreamError) and not error.sent} == {
        "upstream_too_busy"
    }
    release.set()
    assert await asyncio.gather(*asking[:3]) == [b"hello"] * 3
    assert await asyncio.gather(*(ask() for _ in range(50))) == [b"hello"] * 50
    assert server.most_open == 3
    await client.close()


async def test_who_cannot_be_reached_was_sent_nothing(client: UpstreamClient) -> None:
    with pytest.raises(UpstreamError) as refused:
        await client.send(Origin("http", "127.0.0.1", 1), post())
    with pytest.raises(UpstreamError) as unknown:
        await client.send(Origin("http", "no-such-host.invalid", 80), post())
    for error in (refused.value, unknown.value):
        assert (error.reason, error.sent, error.status) == ("connect_failed", False, 502)


async def test_a_pinned_address_is_connected_to_and_the_host_is_named(
    serve: Serve, client: UpstreamClient
) -> None:
    heads = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await request_of(reader))[0])
        writer.write(HELLO)

    port = (await serve(handle)).origin.port
    await client.send(Origin("http", "api.example.org", port, "127.0.0.1"), get())
    assert b"\r\nhost: api.example.org:%d\r\n" % port in heads[0]


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again(
    serve: Serve, client: UpstreamClient
) -> None:
    server = await serve(answering(HELLO, closes=True))  # keeps, it says, and closes behind the answer
    for _ in range(20):
        response = await client.send(server.origin, post())
        assert await response.read(5) == b"hello"
        time.sleep(0.01)  # noqa: ASYNC251 - the loop must not have seen the end yet
        await asyncio.sleep(0)
    assert server.connections == 20


@pytest.mark.parametrize(("request_", "times"), [(get(), 2), (post(), 1)])
async def test_only_what_changes_nothing_is_sent_again_when_a_kept_connection_ends(
    serve: Serve, client: UpstreamClient, request_: OutRequest, times: int
) -> None:
    received = 0

    async def one_then_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await request_of(reader)
        writer.write(HELLO)
        await request_of(reader)
        received += 1

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await request_of(reader)
        received += 1
        writer.write(HELLO)

    server = await serve(one_then_close, count)
    await (await client.send(server.origin, get())).read(5)
    if times == 2:
        assert await (await client.send(server.origin, request_)).read(5) == b"hello"
    else:
        with pytest.raises(UpstreamError) as ended:
            await client.send(server.origin, request_)
        assert (ended.value.reason, ended.value.sent) == ("upstream_truncated", True)
    assert received == times


async def test_closing_ends_what_is_under_way_and_leaves_nothing(serve: Serve) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED + b"1\r\nx\r\n")
        await reader.read()

    server = await serve(handle)
    client = UpstreamClient()
    response = await client.send(server.origin, get())
    waiting = asyncio.create_task(response.read(9))
    await asyncio.sleep(0.05)
    await client.close()
    with pytest.raises(UpstreamError):
        await waiting
    with pytest.raises(UpstreamError) as closed:
        await client.send(server.origin, get())
    assert not closed.value.sent
    await until(lambda: server.open_now == 0)
    gc.collect()


async def test_connections_that_nobody_needs_are_closed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearance.gateway.upstream.client._IDLE_SECONDS", 0.1)
    server = await serve(answering(HELLO))
    client = UpstreamClient(timeout_seconds=0.2)
    await (await client.send(server.origin, get())).read(5)
    assert server.open_now == 1
    await until(lambda: server.open_now == 0)
    await client.close()
