"""An answer that is handed on within the read that brought it."""

from __future__ import annotations

import asyncio

import pytest

from clearance.gateway.upstream import UpstreamClient, UpstreamError
from tests.gateway.upstream.conftest import Handler, Serve, post, request_of

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def saying(pieces: list[bytes], *, end: bytes = b"0\r\n\r\n", gap: float = 0.01) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED)
        for piece in pieces:
            await asyncio.sleep(gap)
            writer.write(piece)
        writer.write(end)
        await writer.drain()

    return handle


async def test_what_one_read_brings_is_handed_on_in_one_piece_and_in_no_task(
    serve: Serve, client: UpstreamClient
) -> None:
    two_and_one = [b"1\r\na\r\n1\r\nb\r\n", b"1\r\nc\r\n"]
    response = await client.send((await serve(saying(two_and_one))).origin, post())
    taken: list[tuple[bytes, object]] = []

    def take(piece: bytes) -> bool:
        taken.append((piece, asyncio.current_task()))
        return True

    assert await response.relay(take) is False
    assert taken == [(b"ab", None), (b"c", None)]


async def test_who_wants_no_more_gets_the_rest_later(serve: Serve, client: UpstreamClient) -> None:
    pieces = [b"1\r\n%d\r\n" % number for number in range(6)]
    response = await client.send((await serve(saying(pieces))).origin, post())
    taken: list[bytes] = []

    def take(piece: bytes) -> bool:
        taken.append(piece)
        return b"2" not in piece

    assert await response.relay(take) is True
    assert b"".join(taken) == b"012"
    await asyncio.sleep(0.1)
    assert b"".join(taken) == b"012"
    assert await response.relay(take) is False
    assert taken[-1] == b"345"


async def test_what_the_reader_raises_is_raised_where_it_reads(serve: Serve, client: UpstreamClient) -> None:
    server = await serve(saying([b"1\r\na\r\n", b"1\r\nb\r\n"]))
    response = await client.send(server.origin, post())

    def take(piece: bytes) -> bool:
        raise KeyError(piece)

    with pytest.raises(KeyError):
        await response.relay(take)
    await response.aclose()


@pytest.mark.parametrize("end", [b"", b"x\r\n"])
async def test_all_that_came_is_handed_on_before_it_breaks_off(
    serve: Serve, client: UpstreamClient, end: bytes
) -> None:
    response = await client.send((await serve(saying([b"1\r\na\r\n"], end=end))).origin, post())
    taken: list[bytes] = []
    with pytest.raises(UpstreamError) as broken:
        await response.relay(lambda piece: taken.append(piece) is None)
    assert taken == [b"a"]
    assert broken.value.reason in ("upstream_truncated", "upstream_protocol")


async def test_only_silence_is_too_long(serve: Serve) -> None:
    """A stream that goes on and on is none, also where no task ever waits anew."""
    client = UpstreamClient(timeout_seconds=0.3)
    pieces = [b"1\r\nx\r\n"] * 8
    response = await client.send((await serve(saying(pieces, gap=0.1))).origin, post())
    assert await response.relay(lambda _: True) is False

    async def stops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED + b"1\r\nx\r\n")
        await reader.read()

    response = await client.send((await serve(stops)).origin, post())
    with pytest.raises(UpstreamError) as silent:
        await response.relay(lambda _: True)
    assert silent.value.reason == "upstream_timeout"
    await client.close()


async def test_a_reader_that_is_cancelled_is_seen_by_the_upstream(
    serve: Serve, client: UpstreamClient
) -> None:
    gone = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED + b"1\r\nx\r\n")
        await reader.read()
        gone.set()

    response = await client.send((await serve(handle)).origin, post())
    task = asyncio.create_task(response.relay(lambda _: True))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait_for(gone.wait(), 1)
    await asyncio.gather(task, return_exceptions=True)
