"""Heads and bodies that two servers could read differently, or that are none: all refused."""

from __future__ import annotations

import json

import pytest

from clearance.errors import RequestError
from clearance.gateway.egress_proxy.heads import read_head
from tests.gateway.egress_proxy.proxies import egress_proxy
from tests.servers.web import Web

pytestmark = pytest.mark.servers  # takes its time

GET = b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"
POST = b"POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"

REFUSED = {
    "both lengths": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "framing"),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n", "http_malformed"),
    "listed lengths": (POST + b"Content-Length: 3, 3\r\n", "framing"),
    "signed length": (POST + b"Content-Length: +3\r\n", "framing"),
    "hex length": (POST + b"Content-Length: 0x3\r\n", "framing"),
    "unknown coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n", "framing"),
    "chunked twice": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "http_malformed",
    ),
    "disguised coding": (POST + b"Transfer-Encoding: xchunked\r\n", "framing"),
    "space before colon": (POST + b"Transfer-Encoding : chunked\r\n", "http_malformed"),
    "folded": (GET + b"X-A: 1\r\n  Transfer-Encoding: chunked\r\n", "http_malformed"),
    "bare LF": (GET + b"X-A: 1\nX-B: 2\r\n", "http_malformed"),
    "bare CR": (GET + b"X-A: 1\rX-B: 2\r\n", "http_malformed"),
    "NUL": (GET + b"X-A: 1\0\r\n", "http_malformed"),
    "control": (GET + b"X-A: 1\x7f\r\n", "http_malformed"),
    "no colon": (GET + b"X-A\r\n", "http_malformed"),
    "empty name": (GET + b": x\r\n", "http_malformed"),
    "two hosts": (GET + b"Host: b.example\r\n", "http_malformed"),
    "no host": (b"GET http://a.example/ HTTP/1.1\r\n", "http_malformed"),
    "two credentials": (
        GET + b"Proxy-Authorization: Basic eA==\r\nProxy-Authorization: Basic eA==\r\n",
        "http_malformed",
    ),
    "tab in request line": (b"GET\thttp://a.example/ HTTP/1.1\r\nHost: a.example\r\n", "http_malformed"),
    "two spaces": (b"GET  http://a.example/ HTTP/1.1\r\nHost: a.example\r\n", "http_malformed"),
    "space in target": (b"GET http://a.example/a b HTTP/1.1\r\nHost: a.example\r\n", "http_malformed"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n", "http_version"),
    "HTTP/0.9": (b"GET http://a.example/\r\n", "http_malformed"),
    "small version": (b"GET http://a.example/ http/1.1\r\nHost: a.example\r\n", "http_version"),
    "chunked in HTTP/1.0": (b"POST http://a.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", "framing"),
    "many headers": (GET + b"X: 1\r\n" * 300, "headers_too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_head_with_more_readings_than_one_is_refused(name: str) -> None:
    head, reason = REFUSED[name]
    with pytest.raises(RequestError) as refused:
        read_head(head + b"\r\n")
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "target",
    [
        "http://user@a.example/",
        "http://user:pass@a.example/",
        "http://b.example@a.example/",
        "http://b.example\\@a.example/",
        "http://a.example#@b.example/",
        "http://a.example:80:80/",
        "http://a.example:0/",
        "http://a.example:65536/",
        "http://a.example:+80/",
        "http://a.example:８０/",
        "http://[::1/",
        "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/",
        "http://[127.0.0.1]/",
        "http:///path",
        "http://a%2eexample/",
        "http://a..example/",
        "http://-a.example/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://0/",
        "http://127.0.0.1.0x7f/",
        "http://１２７.0.0.1:x/",
        "https://a.example/",
        "ftp://a.example/",
        "/path",
        "*",
        "a.example:80",
    ],
)
async def test_a_target_that_is_no_plain_place_is_refused(target: str) -> None:
    async def never(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    async with egress_proxy(resolve=never) as proxy:
        client = await proxy.connect()
        head = (
            f"GET {target} HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: {proxy.credentials()}\r\n\r\n"
        )
        await client.send(head.encode())
        answer = await client.answer()
        assert answer.status in (400, 403), answer
        assert proxy.told("intent") == []


async def test_a_host_header_that_names_another_host_than_the_target_is_refused(web: Web) -> None:
    async with egress_proxy() as proxy:
        lines = [f"GET http://a.example:{web.port}/ HTTP/1.1", "Host: b.example"]
        answer = await proxy.ask(*lines)
        assert (answer.status, answer.headers["clearance-reason"]) == (400, "host_mismatch")
        connect = await proxy.ask("CONNECT a.example:443 HTTP/1.1", "Host: b.example:443")
        assert connect.status == 400
    assert web.seen == []


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\nabc\r\n0\r\n\r\n",
        b"-1\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
        b"fffffffffffffffff\r\nabc",
        b"3;" + b"x" * 5000 + b"\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\n\n",
    ],
)
async def test_chunks_that_are_none_reach_nobody(web: Web, body: bytes) -> None:
    async with egress_proxy() as proxy:
        lines = [f"POST http://a.example:{web.port}/ HTTP/1.1", f"Host: a.example:{web.port}"]
        answer = await proxy.ask(*lines, "Transfer-Encoding: chunked", body=body)
        assert (answer.status, answer.headers["clearance-reason"]) == (400, "framing")
        assert answer.headers["connection"] == "close"
    assert web.seen == []


async def test_what_comes_after_a_body_is_a_request_of_its_own_and_judged_as_one(web: Web) -> None:
    async with egress_proxy() as proxy:
        proxy.policies({"name": "no", "rule": "block", "condition": {"resource_pattern": "*/admin"}})
        client = await proxy.connect()
        base, host = f"http://a.example:{web.port}", f"Host: a.example:{web.port}"
        second = f"GET {base}/admin HTTP/1.1\r\n{host}\r\nProxy-Authorization: {proxy.credentials()}\r\n\r\n"
        lines = [f"POST {base}/ HTTP/1.1", host, "Content-Length: 3"]
        first = await client.ask(*lines, body=b"abc" + second.encode())
        assert (first.status, json.loads(first.body)["body"]) == (200, "abc")
        assert (await client.answer()).status == 403
        assert [each["path"] for each in web.seen] == ["/"]


async def test_a_head_that_never_ends_is_refused_at_64_kb_whatever_it_is_made_of() -> None:
    async with egress_proxy() as proxy:
        for filler in (b"X-A: 1\r\n" * 10_000, b"x" * 80_000):
            client = await proxy.connect()
            await client.send(b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n" + filler)
            assert (await client.answer()).status == 431
            client.close()


async def test_a_head_may_come_byte_by_byte(web: Web) -> None:
    async with egress_proxy() as proxy:
        client = await proxy.connect()
        head = f"GET http://a.example:{web.port}/ HTTP/1.1\r\nHost: a.example:{web.port}\r\n"
        for byte in f"{head}Proxy-Authorization: {proxy.credentials()}\r\n\r\n".encode():
            await client.send(bytes((byte,)))
        assert (await client.answer()).status == 200


async def test_http_1_0_clients_are_served_and_their_connection_ends(web: Web) -> None:
    async with egress_proxy() as proxy:
        client = await proxy.connect()
        head = (
            f"GET http://a.example:{web.port}/ HTTP/1.0\r\nProxy-Authorization: {proxy.credentials()}\r\n\r\n"
        )
        await client.send(head.encode())
        assert b" 200 OK\r\n" in await client.reader.read()
