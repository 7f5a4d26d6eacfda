"""Several upstreams of one name: who is asked, how often, and when nobody is. All are real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from clearance.config.models import Upstream
from clearance.gateway.upstream import Origin, OutRequest, Response, UpstreamError
from clearance.gateway.upstream.breaker import Breaker
from clearance.gateway.upstream.pool import Upstreams
from tests.gateway.upstream.conftest import Handler, Scripted, Serve, answering, post, request_of, until


def _answer(status: int, *headers: bytes, body: bytes = b"x") -> bytes:
    lines = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


OK = _answer(200, body=b"good")


class Several:
    """Upstreams named a, b, c … with what they answer, and a record of who was asked."""

    def __init__(self, scripts: list[Scripted | int], **options: float) -> None:
        self.asked: list[str] = []
        names = "abcdefg"[: len(scripts)]
        ports = [script if isinstance(script, int) else script.origin.port for script in scripts]
        self._urls = {name: f"http://127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}
        self.names = list(names)
        self.upstreams = Upstreams(
            {name: Upstream(base_url=url, **options) for name, url in self._urls.items()}  # type: ignore[arg-type]
        )

    async def call(self) -> tuple[str, Response]:
        return await self.upstreams.call(self.names, self._make)

    async def read(self) -> tuple[str, int, bytes]:
        name, response = await self.call()
        return name, response.status, await response.read(99)

    def _make(self, name: str, upstream: Upstream) -> tuple[Origin, OutRequest]:
        self.asked.append(name)
        return Origin.of(upstream.base_url), post()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
async def test_the_next_one_is_asked_when_one_cannot(serve: Serve, status: int) -> None:
    several = Several([await serve(answering(_answer(status))), await serve(answering(OK))])
    assert await several.read() == ("b", 200, b"good")
    assert several.asked == ["a", "b"]
    await several.upstreams.close()


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 408, 409, 422, 501])
async def test_what_another_would_answer_alike_is_answered(serve: Serve, status: int) -> None:
    several = Several([await serve(answering(_answer(status))), await serve(answering(OK))])
    assert await several.read() == ("a", status, b"x")
    await several.upstreams.close()


async def test_who_cannot_be_reached_is_passed_over(serve: Serve) -> None:
    several = Several([1, await serve(answering(OK))])
    assert await several.read() == ("b", 200, b"good")
    assert (several.upstreams.attempts, several.upstreams.failures) == ({"a": 1, "b": 1}, {"a": 1, "b": 0})
    await several.upstreams.close()


async def test_one_is_asked_again_after_a_pause(serve: Serve) -> None:
    several = Several([await serve(answering(_answer(503), OK))], attempts=2)
    assert await several.read() == ("a", 200, b"good")
    assert several.asked == ["a", "a"]
    await several.upstreams.close()


async def test_the_last_answer_is_given_when_all_are_spent(serve: Serve) -> None:
    first, second = (
        await serve(answering(_answer(500))),
        await serve(answering(_answer(429, body=b"slow down"))),
    )
    several = Several([first, second], attempts=2)
    assert await several.read() == ("b", 429, b"slow down")
    assert several.asked == ["a", "b", "a", "b"]
    await several.upstreams.close()


async def test_an_answer_is_given_rather_than_that_another_was_not_reached(serve: Serve) -> None:
    several = Several([await serve(answering(_answer(429, body=b"slow down"))), 1], attempts=1)
    assert await several.read() == ("a", 429, b"slow down")
    await several.upstreams.close()


async def test_a_short_wait_that_is_asked_for_is_made_and_a_long_one_is_not(serve: Serve) -> None:
    short = Several([await serve(answering(_answer(429, b"Retry-After: 1"), OK))], attempts=2)
    begun = time.monotonic()
    assert (await short.read())[1] == 200
    assert time.monotonic() - begun >= 0.9
    long = Several([await serve(answering(_answer(429, b"Retry-After: 60")))], attempts=5)
    begun = time.monotonic()
    assert (await long.read())[1] == 429
    assert long.asked == ["a"]
    await short.upstreams.close()
    await long.upstreams.close()


async def test_what_may_have_been_acted_on_is_not_asked_of_another(serve: Serve) -> None:
    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)

    several = Several([await serve(dies), await serve(answering(OK))])
    with pytest.raises(UpstreamError) as ended:
        await several.read()
    assert (ended.value.reason, several.asked) == ("upstream_truncated", ["a"])
    await several.upstreams.close()


async def test_an_answer_that_breaks_off_is_not_asked_for_again(serve: Serve) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    several = Several([await serve(answering(half, closes=True)), await serve(answering(OK))])
    with pytest.raises(UpstreamError):
        await several.read()
    assert several.asked == ["a"]
    await several.upstreams.close()


async def test_who_fails_again_and_again_is_left_alone_and_then_tried_by_one(serve: Serve) -> None:
    broken = await serve(*[answering(_answer(500), _answer(500), OK)])
    several = Several([broken, await serve(answering(OK))], open_after_failures=2, open_seconds=0.3)
    for _ in range(5):
        assert (await several.read())[0] == "b"
    assert several.asked.count("a") == 2
    assert several.upstreams.open_breakers == ["a"]
    await asyncio.sleep(0.35)
    broken.handlers[:] = [answering(OK)]
    assert (await several.read())[0] == "a"
    assert several.upstreams.open_breakers == []
    await several.upstreams.close()


async def test_when_all_are_left_alone_the_caller_is_told_at_once() -> None:
    several = Several([1], open_after_failures=1, attempts=5, open_seconds=60)
    with pytest.raises(UpstreamError) as first:
        await several.call()
    with pytest.raises(UpstreamError) as second:
        await several.call()
    assert (first.value.reason, second.value.reason) == ("connect_failed", "upstream_resting")
    assert (second.value.sent, second.value.status, several.asked) == (False, 503, ["a"])
    await several.upstreams.close()


@pytest.mark.parametrize("ends", ["returns", "raises", "cancelled"])
async def test_an_answer_that_is_not_given_on_holds_no_connection(serve: Serve, ends: str) -> None:
    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        if ends == "cancelled":
            await reader.read()

    second: Handler = answering(OK) if ends == "returns" else hangs
    half = await serve(answering(b"HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\nhalf"))
    several = Several([half, await serve(second)])
    calling = asyncio.create_task(several.read())
    await until(lambda: several.asked == ["a", "b"])
    await asyncio.sleep(0.05)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    await until(lambda: half.open_now == 0)
    await several.upstreams.close()


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(open_after=3, open_seconds=10)
    for happens in (breaker.failed, breaker.failed):
        happens(0)
    breaker.succeeded()
    breaker.failed(0)
    breaker.failed(0)
    assert breaker.takes(0)
    breaker.failed(1)
    assert not breaker.takes(10.9)


@pytest.mark.parametrize(
    ("what", "takes_then"),
    [
        (lambda breaker: breaker.succeeded(), True),
        (lambda breaker: breaker.failed(11), False),
        (lambda breaker: breaker.gave_up(), True),
    ],
)
def test_a_breaker_lets_one_try_and_goes_by_what_becomes_of_it(
    what: Callable[[Breaker], None], takes_then: bool
) -> None:
    breaker = Breaker(open_after=1, open_seconds=10)
    breaker.failed(0)
    assert breaker.takes(11)
    assert not breaker.takes(11)
    what(breaker)
    assert breaker.takes(12) is takes_then
