"""Where an answer ends (RFC 9112, section 6): what two readers could take differently is refused."""

from __future__ import annotations

import asyncio

import pytest

from clearance.gateway.upstream import OutRequest, UpstreamClient, UpstreamError
from tests.gateway.upstream.conftest import Serve, answering, get, request_of, until

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "both lengths": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "both, the other way round": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "the same length twice": OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": OK + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": OK + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": OK + b"Content-Length: -3\r\n\r\nabc",
    "a hexadecimal length": OK + b"Content-Length: 0x3\r\n\r\nabc",
    "an empty length": OK + b"Content-Length:\r\n\r\nabc",
    "a length past 64 bits": OK + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "a coding that is not undone": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding that does not end": OK + b"Transfer-Encoding: gzip\r\n\r\nabc",
    "chunked in disguise": OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": OK + b"Content-Length: 3\r\nX: a\r\n b\r\n\r\nabc",
    "a space before the colon": OK + b"Content-Length : 3\r\n\r\nabc",
    "a space before the name": OK + b" Content-Length: 3\r\n\r\nabc",
    "a line without a colon": OK + b"Content-Length\r\n\r\nabc",
    "a name of no letters": OK + b": 3\r\n\r\nabc",
    "a bare line feed": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "a bare line feed between headers": OK + b"X: a\nContent-Length: 3\r\n\r\nabc",
    "a bare carriage return": OK + b"X: a\rContent-Length: 3\r\n\r\nabc",
    "a zero byte": OK + b"X: a\0b\r\nContent-Length: 3\r\n\r\nabc",
    "a chunk size of no digits": CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
    "a signed chunk size": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "an empty chunk size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk size past 64 bits": CHUNKED + b"1" + b"0" * 16 + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than said": CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
    "a chunk that ends in a bare line feed": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "a chunk size that ends in a bare line feed": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "an interim answer with a body": b"HTTP/1.1 103 Early\r\nContent-Length: 3\r\n\r\nabc" + OK + b"\r\n",
    "a head without end": OK + b"X: " + b"a" * 70_000,
    "a large head in one piece": OK + b"X: " + b"a" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "many headers": OK + b"X: a\r\n" * 20_000 + b"Content-Length: 0\r\n\r\n",
    "a reason without end": b"HTTP/1.1 200 " + b"a" * 70_000,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000,
    "a chunk extension without end": CHUNKED + b"3;x=" + b"a" * 70_000,
    "a trailer without end": CHUNKED + b"0\r\nX: " + b"a" * 70_000,
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("split", [False, True])
async def test_an_answer_that_could_be_read_in_two_ways_is_no_answer(
    serve: Serve, client: UpstreamClient, answer: bytes, split: bool
) -> None:
    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        middle = len(answer) // 2 if split else 0
        writer.write(answer[:middle])
        await asyncio.sleep(0.02 if split else 0)
        writer.write(answer[middle:])
        await reader.read()

    server = await serve(whole)
    with pytest.raises(UpstreamError) as refused:
        await (await client.send(server.origin, get())).read(1 << 20)
    assert refused.value.reason == "upstream_protocol"
    await until(lambda: server.open_now == 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTT",
        OK + b"Content-Le",
        OK + b"Content-Length: 3\r\n\r\nab",
        CHUNKED,
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_an_answer_that_ends_early_is_an_error(
    serve: Serve, client: UpstreamClient, answer: bytes
) -> None:
    server = await serve(answering(answer, closes=True))
    with pytest.raises(UpstreamError) as ended:
        await (await client.send(server.origin, get())).read(99)
    assert (ended.value.reason, ended.value.status) == ("upstream_truncated", 502)


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b""),
        (b"HEAD", OK + b"Content-Length: 7\r\n\r\n", b""),
        (b"HEAD", CHUNKED, b""),
        (b"GET", OK + b"Content-Length: 0\r\n\r\n", b""),
        (b"GET", CHUNKED + b"3;a=b\r\nabc\r\n0\r\nTrailer: x\r\n\r\n", b"abc"),
        (
            b"GET",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + CHUNKED + b"0\r\n\r\n",
            b"",
        ),
        (b"GET", OK + b"connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na", b"a"),
        (b"GET", b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", b"a"),
    ],
)
async def test_an_answer_that_ends_by_itself_leaves_its_connection_to_the_next(
    serve: Serve, client: UpstreamClient, method: bytes, answer: bytes, body: bytes
) -> None:
    server = await serve(answering(answer))
    for _ in range(3):
        response = await client.send(server.origin, OutRequest(method, b"/"))
        assert await response.read(9) == body
        assert not [name for name, _ in response.headers if name in (b"trailer", b"link")]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\na", b"a"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a"),
        (OK + b"\r\nall that comes", b"all that comes"),
    ],
)
async def test_an_answer_that_ends_its_connection_is_whole_and_the_next_takes_another(
    serve: Serve, client: UpstreamClient, answer: bytes, body: bytes
) -> None:
    server = await serve(answering(answer, closes=True))
    for _ in range(2):
        assert await (await client.send(server.origin, get())).read(99) == body
    assert server.connections == 2


@pytest.mark.parametrize(
    "surplus",
    [
        b"x",
        OK + b"Content-Length: 4\r\n\r\nevil",
        b"\r\n" + OK + b"Content-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 1",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("later", [False, True])
async def test_bytes_after_the_end_of_an_answer_are_never_the_next_answer(
    serve: Serve, client: UpstreamClient, surplus: bytes, method: bytes, later: bool
) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK + b"Content-Length: 4\r\n\r\n" + (b"" if method == b"HEAD" else b"good"))
        if later:
            await asyncio.sleep(0.02)
        writer.write(surplus)
        await reader.read()

    server = await serve(handle)
    for _ in range(2):
        response = await client.send(server.origin, OutRequest(method, b"/"))
        assert await response.read(4) in (b"", b"good")
        if later:
            await asyncio.sleep(0.04)
    assert server.connections == 2


async def test_an_answer_that_comes_before_its_request_is_not_taken(
    serve: Serve, client: UpstreamClient
) -> None:
    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK + b"Content-Length: 4\r\n\r\ngood")
        await asyncio.sleep(0.02)
        writer.write(OK + b"Content-Length: 4\r\n\r\nevil")
        await reader.read()

    server = await serve(eager, answering(OK + b"Content-Length: 4\r\n\r\ngood"))
    for _ in range(5):
        assert await (await client.send(server.origin, get())).read(4) == b"good"
        await asyncio.sleep(0.03)
    assert server.connections == 2
