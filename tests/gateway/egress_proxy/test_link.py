"""Two joined connections: every byte once and in order, nobody else's, and no more held than was promised."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from clearance.gateway.egress_proxy.link import Arrivals, Link

BIG = 8_000_000  # more than the kernel holds for two connections that nobody reads from


def told(seed: int, size: int = BIG) -> bytes:
    """Bytes that no other seed has anywhere near."""
    return hashlib.shake_128(seed.to_bytes(4)).digest(size)


@dataclass
class Pair:
    """What is sent on `left` comes out on `right`, and the other way round, while `joined` goes on."""

    left: socket.socket
    right: socket.socket
    inner: tuple[Link, Link]
    joined: asyncio.Task[None]


async def linked(arrivals: Arrivals) -> tuple[socket.socket, Link]:
    """One end of a connection, and the link that is its other end."""
    outside, inside = socket.socketpair()
    outside.setblocking(False)
    inside.setblocking(False)
    link = Link(arrivals)
    await asyncio.get_running_loop().create_connection(lambda: link, sock=inside)
    return outside, link


@asynccontextmanager
async def joined(arrivals: Arrivals | None = None, *, first: bytes = b"") -> AsyncIterator[Pair]:
    """`first` has come from the left before they are joined."""
    arrivals = arrivals or Arrivals()
    (left, one), (right, other) = await linked(arrivals), await linked(arrivals)
    if first:
        await asyncio.get_running_loop().sock_sendall(left, first)
        one.push_back(await one.receive())
    task = asyncio.create_task(one.join(other))
    try:
        yield Pair(left, right, (one, other), task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for each in (one, other, left, right):
            each.abort() if isinstance(each, Link) else each.close()


async def say(end: socket.socket, data: bytes, *, and_end: bool = True) -> None:
    await asyncio.get_running_loop().sock_sendall(end, data)
    if and_end:
        end.shutdown(socket.SHUT_WR)


async def hear(end: socket.socket, *, most: int = 1 << 20, seconds: float = 0) -> bytes:
    """Until the end, `most` bytes at once and so many seconds between two of them."""
    heard = bytearray()
    while data := await asyncio.get_running_loop().sock_recv(end, most):
        heard += data
        await asyncio.sleep(seconds)
    return bytes(heard)


async def until_still(links: tuple[Link, Link]) -> None:
    """Nothing comes any more, as far as a tenth of a second tells."""
    before = -1
    while before != (before := sum(link.received for link in links)):  # noqa: ASYNC110 - of silence nothing tells
        await asyncio.sleep(0.1)


async def test_both_ways_at_once_each_byte_comes_once_and_is_counted() -> None:
    async with asyncio.timeout(10), joined() as pair:
        one, other = told(1), told(2, 3_000_000)
        heard = await asyncio.gather(
            hear(pair.right), hear(pair.left), say(pair.left, one), say(pair.right, other)
        )
        await pair.joined
        assert (heard[0], heard[1]) == (one, other)
        assert [(link.received, link.sent) for link in pair.inner] == [
            (len(one), len(other)),
            (len(other), len(one)),
        ]


async def test_what_came_before_they_were_joined_comes_first() -> None:
    async with asyncio.timeout(10), joined(first=b"early ") as pair:
        await say(pair.left, b"late")
        assert await hear(pair.right) == b"early late"


async def test_connections_that_are_slow_never_show_what_others_sent() -> None:
    """They receive into one buffer: whoever has not sent its piece yet keeps it from the rest."""
    arrivals, count, size = Arrivals(), 8, 3_000_000

    async def one(seed: int) -> None:
        async with joined(arrivals) as pair:
            pair.right.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sending = asyncio.create_task(say(pair.left, told(seed, size)))
            await until_still(pair.inner)
            assert pair.inner[0].received < size, "the kernel holds it all: nothing was tested"
            heard = await hear(pair.right, most=50_000 + seed, seconds=0.0001 * (seed % 3))
            assert heard == told(seed, size)
            await sending

    async with asyncio.timeout(20):
        await asyncio.gather(*(one(seed) for seed in range(count)))


async def test_a_side_that_reads_nothing_stops_the_other_and_holds_one_piece() -> None:
    async with asyncio.timeout(10), joined() as pair:
        sending = asyncio.create_task(say(pair.left, told(3)))
        await until_still(pair.inner)
        one, other = pair.inner
        assert one.received < BIG
        assert one.received - other.sent == 0
        assert not sending.done()
        assert await hear(pair.right) == told(3)
        await sending


async def test_it_is_not_over_before_the_last_piece_is_sent_though_both_have_ended() -> None:
    arrivals, last = Arrivals(), told(4, 900_000)
    (left, one), (right, other) = await linked(arrivals), await linked(arrivals)
    left.shutdown(socket.SHUT_WR)
    async with asyncio.timeout(10):
        await say(right, last)
        while not (one.has_ended and other.has_ended):  # noqa: ASYNC110 - nobody receives, nobody is told
            await asyncio.sleep(0.01)
        heard = asyncio.create_task(hear(left, most=50_000, seconds=0.001))
        await one.join(other)
        one.abort()
        other.abort()
        assert await heard == last
    left.close()
    right.close()


async def test_it_is_over_once_one_is_lost_and_the_other_is_heard_again() -> None:
    async with asyncio.timeout(10), joined() as pair:
        sending = asyncio.create_task(say(pair.left, told(5), and_end=False))
        await until_still(pair.inner)
        pair.inner[1].abort()
        await pair.joined
        one = pair.inner[0]
        while one.received < BIG:
            await one.receive()
        await sending


async def test_two_that_are_over_are_not_waited_for() -> None:
    arrivals = Arrivals()
    (left, one), (right, other) = await linked(arrivals), await linked(arrivals)
    left.close()
    right.close()
    async with asyncio.timeout(5):
        assert await one.receive() == await other.receive() == b""
        await one.join(other)
    one.abort()
    other.abort()


@pytest.mark.parametrize("is_unheard", [True, False])
async def test_joined_links_say_when_something_moved_last(is_unheard: bool) -> None:
    async with asyncio.timeout(10), joined() as pair:
        await asyncio.sleep(0.05)
        before = pair.inner[0].waits_since
        assert 0 < before < asyncio.get_running_loop().time()
        await say(pair.right if is_unheard else pair.left, b"x", and_end=False)
        await until_still(pair.inner)
        assert pair.inner[0].waits_since == pair.inner[1].waits_since > before
