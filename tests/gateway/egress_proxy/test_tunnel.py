"""CONNECT: to the checked address, for TLS with the name that was asked for, until somebody says stop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clearance.config import EgressSettings, Tunnels
from clearance.core.model import StopKind, StopLevel
from clearance.gateway.egress_proxy.client_hello import NotTlsError, read_client_hello
from clearance.gateway.egress_proxy.places import Place
from tests.gateway.egress_proxy.proxies import LOOPBACK, Client, Proxy, egress_proxy
from tests.servers.certificates import TestAuthority
from tests.servers.web import web_server

pytestmark = pytest.mark.servers  # takes its time

EVERY_PORT = tuple(range(1, 65_536))
ANY = EgressSettings(private=LOOPBACK, ports=EVERY_PORT, tunnels=Tunnels.ANY)


def client_hello(name: str = "", *, alpn: tuple[str, ...] = ()) -> bytes:
    """The first bytes of a real TLS client."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = bool(name)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name or None)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


@asynccontextmanager
async def echo_server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Sends back what comes; after the client's end, says goodbye and ends."""
    seen: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            seen.append(data)
            writer.write(data)
            await writer.drain()
        writer.write(b"goodbye")
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], seen
    server.close()


async def opened(proxy: Proxy, port: int, host: str = "a.example") -> Client:
    client = await proxy.connect()
    answer = await client.ask(f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}")
    assert answer.status == 200, answer
    return client


async def until_told(proxy: Proxy, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(proxy.told("outcome")) < count:  # noqa: ASYNC110 - the journal wakes nobody
            await asyncio.sleep(0.01)


async def test_bytes_go_both_ways_each_end_ends_for_itself_and_all_is_counted() -> None:
    async with echo_server() as (port, _), egress_proxy(ANY) as proxy:
        client = await opened(proxy, port)
        big = b"z" * 3_000_000
        client.writer.write(big)
        assert await client.reader.readexactly(len(big)) == big
        client.writer.write_eof()
        assert await client.reader.read() == b"goodbye"
        await until_told(proxy)
        told = proxy.alone()
        assert (told["status"], told["result"]["address"]) == ("succeeded", "127.0.0.1")
        assert told["result"]["bytes_sent"] == len(big)
        assert told["result"]["bytes_received"] == len(big) + len(b"goodbye")
        [intent] = proxy.told("intent")
        assert (intent["tool"], intent["arguments"]) == ("http_tunnel", {"url": f"https://a.example:{port}/"})


async def test_a_real_tls_client_reaches_a_real_tls_server_end_to_end(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    with web_server(authority.server("a.example")) as web:
        async with egress_proxy() as proxy:
            client = await opened(proxy, web.port)
            await client.writer.start_tls(authority.client(), server_hostname="a.example")
            await client.send(b"GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
            assert (await client.answer()).status == 200
            assert web.seen[0]["path"] == "/x"


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (client_hello("b.example"), "tunnel_name"),
        (client_hello("sub.a.example"), "tunnel_name"),
        (client_hello(), "tunnel_name"),
        (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "tunnel_not_tls"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "tunnel_not_tls"),
        (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", "tunnel_not_tls"),
        (b"\x16\x03\x01\xff\xff" + b"\x01" * 100, "tunnel_not_tls"),
    ],
)
async def test_another_name_or_no_tls_never_reaches_the_destination(first: bytes, reason: str) -> None:
    async with echo_server() as (port, seen), egress_proxy() as proxy:
        client = await opened(proxy, port)
        await client.send(first)
        assert await client.reader.read() in (b"", b"\x15\x03\x03\x00\x02\x02\x70")
        await until_told(proxy)
        assert (proxy.alone()["status"], proxy.alone()["error"]) == ("failed", reason)
        assert seen == []


async def test_the_right_name_passes_in_one_piece_or_byte_by_byte_and_nothing_is_lost() -> None:
    hello = client_hello("a.example", alpn=("h2", "http/1.1"))
    async with echo_server() as (port, _), egress_proxy() as proxy:
        client = await opened(proxy, port)
        for byte in hello:
            await client.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert await client.reader.readexactly(len(hello)) == hello


def test_a_client_hello_is_read_however_it_is_cut_into_records() -> None:
    hello = client_hello("a.example")
    message = hello[5:]
    for size in (1, 3, 100):
        parts = [message[at : at + size] for at in range(0, len(message), size)]
        cut = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in parts)
        read = read_client_hello(cut)
        assert read is not None
        assert read.server_name == "a.example"
        assert read_client_hello(cut[:-1]) is None


def test_a_hidden_name_is_seen_and_two_names_are_none() -> None:
    hello = client_hello("a.example")

    def with_extension(extension: bytes) -> bytes:
        """The same with one more extension at its end; every length above it is put right."""
        body = hello[5 + 4 :]
        at = 2 + 32
        at += 1 + body[at]
        at += 2 + int.from_bytes(body[at : at + 2])
        at += 1 + body[at]
        extensions = body[at + 2 :] + extension
        message = body[:at] + len(extensions).to_bytes(2) + extensions
        message = b"\x01" + len(message).to_bytes(3) + message
        return b"\x16\x03\x01" + len(message).to_bytes(2) + message

    hidden = read_client_hello(with_extension(b"\xfe\x0d\x00\x01\x00"))
    assert hidden is not None
    assert hidden.is_encrypted
    with pytest.raises(NotTlsError):
        read_client_hello(with_extension(b"\x00\x00\x00\x05\x00\x03\x00\x00\x00"))


async def test_a_name_that_changes_its_address_is_connected_to_where_it_was_checked() -> None:
    """DNS rebinding: the second look-up would give another address; there is none."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.3"]])
    asked = 0

    async def rebinding(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return next(answers)

    settings = EgressSettings(private=("127.0.0.1/32",), ports=EVERY_PORT, tunnels=Tunnels.ANY)
    async with echo_server() as (port, _), egress_proxy(settings, resolve=rebinding) as proxy:
        client = await opened(proxy, port)
        assert asked == 1
        client.close()
        await until_told(proxy)
        assert proxy.alone()["result"]["address"] == "127.0.0.1"
        refused = await proxy.ask(f"CONNECT b.example:{port} HTTP/1.1", "Host: b.example")
        assert refused.headers["clearance-reason"] == "destination_private"


async def test_an_address_where_nobody_answers_is_tried_last_the_next_time() -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with echo_server() as (port, _), egress_proxy(ANY, resolve=two) as proxy:
        (await opened(proxy, port)).close()
        await until_told(proxy)
        assert proxy.alone()["result"]["address"] == "127.0.0.1"
        found = await proxy.door.means.addresses.of(Place(host="a.example", port=port))
        assert found.addresses == ("127.0.0.1", "127.0.0.2")


async def test_the_brake_ends_an_open_tunnel_within_two_seconds() -> None:
    async with echo_server() as (port, _), egress_proxy(ANY) as proxy:
        client = await opened(proxy, port)
        await client.send(b"hello")
        assert await client.reader.readexactly(5) == b"hello"
        await asyncio.to_thread(
            proxy.assembly.brake.set,
            StopKind.AGENT,
            "agent",
            StopLevel.PAUSED,
            reason="test",
            by="ops",
        )
        async with asyncio.timeout(3):
            assert await ended(client) == b""
        await until_told(proxy)
        assert proxy.alone()["status"] == "failed"
        assert "paused" in proxy.alone()["error"]
        again = await proxy.ask(f"CONNECT a.example:{port} HTTP/1.1", "Host: a.example")
        assert (again.status, again.headers["clearance-reason"]) == (403, "paused")


async def ended(client: Client) -> bytes:
    try:
        return await client.reader.read()
    except ConnectionError:
        return b""


async def test_a_tunnel_in_which_nothing_moves_is_let_go() -> None:
    settings = EgressSettings(
        private=LOOPBACK, ports=EVERY_PORT, tunnels=Tunnels.ANY, idle_timeout_seconds=0.2
    )
    async with echo_server() as (port, _), egress_proxy(settings) as proxy:
        client = await opened(proxy, port)
        async with asyncio.timeout(2):
            assert await ended(client) == b""
        await until_told(proxy)


async def test_a_client_that_is_gone_takes_its_tunnel_with_it() -> None:
    async with echo_server() as (port, _), egress_proxy(ANY) as proxy:
        client = await opened(proxy, port)
        client.writer.transport.abort()
        await until_told(proxy)


async def test_closing_the_door_ends_and_tells_what_still_goes_on() -> None:
    async with echo_server() as (port, _), egress_proxy(ANY) as proxy:
        await opened(proxy, port)
        await proxy.door.close()
        assert proxy.alone()["error"] == "The server stopped."
        with pytest.raises(ConnectionError):
            await proxy.connect()


async def test_a_tunnel_meets_every_rule_that_limits_an_operation() -> None:
    async with echo_server() as (port, _), egress_proxy(ANY) as proxy:
        proxy.policies(
            {"name": "no", "rule": "block", "condition": {"operation": "delete", "domain": "a.example"}}
        )
        connect = f"CONNECT a.example:{port} HTTP/1.1"
        assert (await proxy.ask(connect, "Host: a.example")).status == 403
        proxy.policies(
            {"name": "no", "rule": "block", "condition": {"operation": "delete", "domain": "a.example"}},
            tools={"http_tunnel": {"operation": "send"}},
        )
        await opened(proxy, port)


async def test_a_stranger_that_drips_its_head_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearance.gateway.egress_proxy.door._STRANGER_SECONDS", 0.5)
    async with egress_proxy() as proxy:
        client = await proxy.connect()
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionError):
                while True:
                    await client.send(b"G")
                    await asyncio.sleep(0.05)


async def test_a_brake_that_cannot_be_read_ends_what_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("clearance.gateway.egress_proxy.watch._BLIND_SECONDS", 1)
    async with echo_server() as (port, _), egress_proxy(ANY) as proxy:
        client = await opened(proxy, port)
        monkeypatch.setattr(type(proxy.assembly.control_point), "stopping", fails)
        async with asyncio.timeout(4):
            assert await ended(client) == b""
        await until_told(proxy)
        assert "could not be read" in proxy.alone()["error"]
