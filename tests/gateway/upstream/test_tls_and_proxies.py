"""TLS with an authority of the test's own, and the way out through a CONNECT proxy."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clearance.gateway.upstream import Origin, UpstreamClient, UpstreamError
from tests.gateway.upstream.conftest import Handler, Serve, answering, get, post, request_of

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@dataclass
class Authority:
    """A CA file, and a server's context for the names `upstream.test` and 127.0.0.1."""

    file: str
    server: ssl.SSLContext


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    directory: Path = tmp_path_factory.mktemp("authority")
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the test's own")])
    now = datetime.now(UTC)

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(root_name)
        made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))

    root = (
        builder(root_name, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName(
        [x509.DNSName("upstream.test"), x509.IPAddress(ip_address("127.0.0.1"))]
    )
    leaf = (
        builder(x509.Name([]), leaf_key).add_extension(names, critical=True).sign(root_key, hashes.SHA256())
    )
    (directory / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (directory / "leaf.pem").write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(directory / "leaf.pem")
    server.set_alpn_protocols(["h2", "http/1.1"])
    return Authority(str(directory / "root.pem"), server)


@pytest.fixture
async def trusting(authority: Authority) -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(ca_file=authority.file, timeout_seconds=10)
    yield client
    await client.close()


def _named(origin: Origin, host: str) -> Origin:
    return Origin(origin.scheme, host, origin.port, "127.0.0.1")


async def test_the_name_is_verified_not_the_address(
    serve: Serve, authority: Authority, trusting: UpstreamClient
) -> None:
    server = await serve(answering(HELLO), ssl=authority.server)
    for origin in (server.origin, _named(server.origin, "upstream.test")):
        assert await (await trusting.send(origin, get())).read(5) == b"hello"
    with pytest.raises(UpstreamError) as other:
        await trusting.send(_named(server.origin, "other.test"), get())
    assert (other.value.reason, other.value.sent) == ("tls_failed", False)


async def test_a_certificate_of_an_unknown_authority_is_refused(
    serve: Serve, authority: Authority, client: UpstreamClient
) -> None:
    server = await serve(answering(HELLO), ssl=authority.server)
    with pytest.raises(UpstreamError) as unknown:
        await client.send(server.origin, get())
    assert (unknown.value.reason, unknown.value.sent) == ("tls_failed", False)


async def test_connections_over_tls_are_kept_and_speak_http_1(
    serve: Serve, authority: Authority, trusting: UpstreamClient
) -> None:
    spoken = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken.add(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answering(HELLO)(reader, writer)

    server = await serve(handle, ssl=authority.server)
    for _ in range(200):
        assert await (await trusting.send(server.origin, post())).read(5) == b"hello"
    assert server.connections == 1
    assert spoken == {"http/1.1"}


async def test_ten_megabytes_go_through_tls_and_back(
    serve: Serve, authority: Authority, trusting: UpstreamClient
) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, body = await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        await reader.read()

    body = bytes(range(256)) * (10 << 12)
    server = await serve(echo, ssl=authority.server)
    assert await (await trusting.send(server.origin, post(body))).read(len(body)) == body


async def test_an_end_of_tls_that_was_not_said_is_a_truncation(
    serve: Serve, authority: Authority, trusting: UpstreamClient
) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nthe first half")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.transport.abort()  # no close_notify: whoever stands between could have done it

    server = await serve(cut, ssl=authority.server)
    response = await trusting.send(server.origin, get())
    with pytest.raises(UpstreamError) as ended:
        await response.read(99)
    assert ended.value.reason == "upstream_truncated"


async def test_an_end_of_tls_that_was_said_is_an_end(
    serve: Serve, authority: Authority, trusting: UpstreamClient
) -> None:
    async def all_of_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"both halves" * 100_000)
        await writer.drain()

    server = await serve(all_of_it, ssl=authority.server)
    assert await (await trusting.send(server.origin, get())).read(2 << 20) == b"both halves" * 100_000


async def test_who_takes_the_connection_and_says_nothing_of_tls_is_given_up(
    serve: Serve, authority: Authority
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    origin = (await serve(silent)).origin
    client = UpstreamClient(connect_timeout_seconds=0.2, ca_file=authority.file)
    with pytest.raises(UpstreamError) as late:
        await client.send(Origin("https", "127.0.0.1", origin.port), get())
    assert (late.value.reason, late.value.sent, late.value.status) == ("connect_timeout", False, 504)
    await client.close()


def _proxy(seen: list[bytes], answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Handler:
    """A CONNECT proxy that notes what it was asked, and goes to 127.0.0.1 whatever the name."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        writer.write(answer)
        if b" 200 " not in answer:
            return
        port = int(head.split()[1].rpartition(b":")[2])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))

    return handle


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_is_asked_to_connect_and_sees_no_more(
    serve: Serve, authority: Authority, scheme: str
) -> None:
    seen: list[bytes] = []
    options = {"ssl": authority.server} if scheme == "https" else {}
    server, proxy = await serve(answering(HELLO), **options), await serve(_proxy(seen))
    client = UpstreamClient(
        ca_file=authority.file, proxy=f"http://user:p%40ss@127.0.0.1:{proxy.origin.port}", timeout_seconds=2
    )
    origin = Origin(scheme, "upstream.test", server.origin.port)
    for _ in range(3):
        assert await (await client.send(origin, post())).read(5) == b"hello"
    await client.close()
    named = f"upstream.test:{origin.port}"
    user = base64.b64encode(b"user:p@ss").decode()
    expected = f"CONNECT {named} HTTP/1.1\r\nhost: {named}\r\nproxy-authorization: Basic {user}\r\n\r\n"
    assert seen == [expected.encode()]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 20_000,
        b"",
    ],
)
async def test_a_proxy_that_does_not_open_is_not_passed(serve: Serve, answer: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(0.05)

    proxy = await serve(handle)
    client = UpstreamClient(proxy=f"http://127.0.0.1:{proxy.origin.port}", connect_timeout_seconds=1)
    with pytest.raises(UpstreamError) as refused:
        await client.send(Origin("http", "upstream.test", 80), post())
    assert (refused.value.reason, refused.value.sent) == ("connect_failed", False)
    await client.close()
