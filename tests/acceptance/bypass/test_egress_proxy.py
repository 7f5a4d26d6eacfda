"""Past the egress proxy: destinations, names and framing in disguise, from raw sockets and real clients."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.acceptance.bypass.framing import AMBIGUOUS
from tests.acceptance.bypass.scene import heard
from tests.conftest import Server, make_server
from tests.servers.certificates import TestAuthority
from tests.servers.process import free_port
from tests.servers.web import Web, web_server

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]


class Redirect(BaseHTTPRequestHandler):
    """Sends whoever asks somewhere else."""

    to = ""

    def do_GET(self) -> None:
        self.send_response(307)
        self.send_header("location", self.to)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def redirecting(to: str) -> Iterator[int]:
    """On a port of its own, until the block ends."""
    other = ThreadingHTTPServer(("127.0.0.1", 0), type("To", (Redirect,), {"to": to}))
    Thread(target=other.serve_forever, daemon=True).start()
    yield other.server_port
    other.shutdown()
    other.server_close()


@dataclass
class Gate:
    """`plain` speaks HTTP; `inside` TLS that is intercepted (localhost); `tunnelled` TLS that is not."""

    server: Server
    port: int
    plain: Web
    inside: Web
    tunnelled: Web
    ca: Path
    elsewhere: int  # redirects to what is blocked

    def say(self, data: bytes, *, seconds: float = 3.0) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as made:
            made.settimeout(seconds)
            return heard(made, data)

    @property
    def credentials(self) -> bytes:
        return b"proxy-authorization: Basic " + base64.b64encode(b"-:" + self.server.agent_key.encode())

    def request(self, target: str, *lines: bytes, method: str = "GET", host: bytes = b"") -> bytes:
        named = host or target.partition("://")[2].partition("/")[0].encode()
        first = f"{method} {target} HTTP/1.1".encode()
        fixed = (first, b"host: " + named, self.credentials, b"connection: close", *lines)
        return b"\r\n".join(fixed) + b"\r\n\r\n"

    def connected(self, authority: str) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        made.sendall(f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n".encode())
        made.sendall(self.credentials + b"\r\n\r\n")
        assert b" 200 " in made.recv(4096)
        return made

    @property
    def reached(self) -> int:
        """How often anybody was asked for anything."""
        return sum(len(web.seen) for web in (self.plain, self.inside, self.tunnelled))


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    directory = tmp_path_factory.mktemp("egress")
    authority, port = TestAuthority(directory), free_port()
    with (
        web_server() as plain,
        web_server(authority.server("localhost")) as inside,
        web_server(authority.server("127.0.0.1")) as tunnelled,
        redirecting(f"http://127.0.0.1:{plain.port}/secret") as elsewhere,
    ):
        ports = [plain.port, inside.port, tunnelled.port, elsewhere, 80]
        (directory / "clearance.yaml").write_text(
            f"egress:\n  port: {port}\n  private: [127.0.0.1/32, '::1/128']\n  ports: {ports}\n"
            f"  intercept: [localhost]\n  ca_file: {authority.file}\n"
        )
        server = make_server(directory / "store")
        server.directory = directory
        server.start()
        secret = {
            "name": "secrets",
            "rule": "block",
            "condition": {"resource_pattern": f"url:http://127.0.0.1:{plain.port}/secret*"},
        }
        hosts = {
            "name": "hosts",
            "rule": "block",
            "condition": {"domain": ["evil.example", "*.evil.example"]},
        }
        try:
            with server.http(admin=True) as admin:
                for rule in (secret, hosts):
                    assert admin.post("/v1/policies", json=rule).status_code == 201
            ca = directory / "store/ca/clearance-egress-ca.pem"
            yield Gate(server, port, plain, inside, tunnelled, ca, elsewhere)
        finally:
            server.stop()


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_request_whose_length_is_told_in_two_ways_reaches_nobody(gate: Gate, name: str) -> None:
    lines, body = AMBIGUOUS[name]
    before = gate.reached
    answer = gate.say(gate.request(f"http://127.0.0.1:{gate.plain.port}/", *lines, method="POST") + body)
    assert answer.startswith(b"HTTP/1.1 400") or not answer, answer
    assert gate.reached == before


def test_what_is_allowed_is_reached(gate: Gate) -> None:
    """Else what follows would pass with a proxy that is down."""
    assert b" 200 " in gate.say(gate.request(f"http://127.0.0.1:{gate.plain.port}/ok"))[:20]


@pytest.mark.parametrize(
    "path",
    [
        "/secret",
        "/secret/x",
        "/secret?x",
        "//secret",
        "/./secret",
        "/x/../secret",
        "/x/%2e%2e/secret",
        "/x/%2E%2E/secret",
        "/%73ecret",
        "/secre%74",
        "/x/..//secret",
        "/..//secret",
        "/x/.%2e/secret",
        "/secret%00",
        "/secret/..;/secret",
        "/x/y/../../secret",
    ],
)
def test_another_spelling_of_a_path_is_the_same_path(gate: Gate, path: str) -> None:
    before = gate.reached
    answer = gate.say(gate.request(f"http://127.0.0.1:{gate.plain.port}{path}"))
    assert answer.split(b" ", 2)[1] in (b"400", b"403"), answer
    assert gate.reached == before


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "EVIL.example",
        "evil.example.",
        "a.evil.example",
        "evil%2eexample",
        "evil\u3002example",
        "\uff45vil.example",
        "evil.example:80",
        "user@evil.example",
        "x:y@evil.example",
        "ok.example@evil.example",
        "evil.example#ok.example",
        "evil.example\\@ok.example",
        "evil.example?ok.example",
        "evil.example%00.ok",
    ],
)
def test_another_spelling_of_a_host_is_the_same_host(gate: Gate, host: str) -> None:
    for data in (
        gate.request(f"http://{host}/", host=host.encode()),
        gate.request(host if ":" in host else f"{host}:80", method="CONNECT", host=host.encode()),
    ):
        answer = gate.say(data)
        assert answer.split(b" ", 2)[1] in (b"400", b"403"), (data, answer)
        assert b"destination_unknown" not in answer, answer


@pytest.mark.parametrize(
    "host",
    [
        "2130706434",
        "0x7f000002",
        "017700000002",
        "0177.0.0.2",
        "127.2",
        "0x7f.2",
        "127.0.2",
        "127.0.0.2",
        "127.0.0.02",
        "0",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "[64:ff9b::7f00:2]",
        "[::127.0.0.2]",
        "[fe80::1%25lo]",
        "[fd00::1]",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "10.0.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "168.63.129.16",
        "metadata.google.internal",
        "1.2.3.4.5",
        "127.0.0.1.",
    ],
)
def test_addresses_that_are_private_or_written_strangely_are_reached_by_nobody(gate: Gate, host: str) -> None:
    for authority in (f"{host}:{gate.plain.port}", f"{host}:80"):
        if authority == f"127.0.0.1.:{gate.plain.port}":
            continue  # the address itself, which is allowed here
        before = gate.reached
        assert b" 200 " not in gate.say(gate.request(f"http://{authority}/"), seconds=12)[:20]
        assert b" 200 " not in gate.say(gate.request(authority, method="CONNECT"), seconds=12)[:20]
        assert gate.reached == before


def test_a_redirect_is_followed_by_the_client_and_judged_as_any_other_request(gate: Gate) -> None:
    proxy = f"http://-:{gate.server.agent_key}@127.0.0.1:{gate.port}"
    before = gate.reached
    with httpx.Client(proxy=proxy, trust_env=False, follow_redirects=True) as client:
        answer = client.get(f"http://127.0.0.1:{gate.elsewhere}/")
    assert (answer.status_code, len(answer.history)) == (403, 1)
    assert gate.reached == before


def test_something_else_than_tls_to_the_host_that_was_named_goes_through_no_tunnel(gate: Gate) -> None:
    authority, before = f"127.0.0.1:{gate.tunnelled.port}", gate.reached
    for data in (b"GET /ok HTTP/1.1\r\nhost: x\r\n\r\n", b"SSH-2.0-x\r\n", bytes(300), b"\r\n"):
        with gate.connected(f"127.0.0.1:{gate.plain.port}") as made:
            made.settimeout(3)
            assert b"HTTP" not in heard(made, data)
    context = ssl._create_unverified_context()
    for name in ("evil.example", "localhost", "127.0.0.1.evil.example"):
        with gate.connected(authority) as made, pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(made, server_hostname=name).sendall(b"x")
    assert gate.reached == before


def inside(gate: Gate) -> ssl.SSLSocket:
    """TLS to the destination that is intercepted."""
    context = ssl.create_default_context(cafile=str(gate.ca))
    return context.wrap_socket(gate.connected(f"localhost:{gate.inside.port}"), server_hostname="localhost")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost:%d\r\nhost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nhost: localhost:%d\r\n\r\n",
        b"GET //evil.example/ HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n",
        b"CONNECT localhost:%d HTTP/1.1\r\nhost: localhost:%d\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nhost: localhost:%d\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET @evil.example/ HTTP/1.1\r\nhost: localhost:%d\r\n\r\n",
        b"GET /a\\..\\secret HTTP/1.1\r\nhost: localhost:%d\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost:%d\r\ncontent-length: 5\r\n"
        b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_inside_intercepted_tls_nothing_goes_elsewhere(gate: Gate, data: bytes) -> None:
    before = gate.reached
    with inside(gate) as made:
        made.settimeout(3)
        answer = heard(made, data.replace(b"%d", str(gate.inside.port).encode()))
    assert b" 200 " not in answer[:20] and b" 101 " not in answer[:20], answer
    assert gate.reached == before


def test_a_request_of_no_key_another_agents_run_or_two_credentials_reaches_nobody(gate: Gate) -> None:
    url = f"http://127.0.0.1:{gate.plain.port}/ok"
    before = gate.reached
    plain = gate.request(url)
    foreign = base64.b64encode(b"run_of_another:" + gate.server.agent_key.encode())
    for data, status in (
        (plain.replace(gate.credentials, b"x: y"), b"407"),
        (plain.replace(gate.credentials, b"authorization: Bearer " + gate.server.agent_key.encode()), b"407"),
        (plain.replace(gate.credentials, gate.credentials + b"\r\n" + gate.credentials), b"400"),
        (plain.replace(gate.credentials, b"proxy-authorization: Basic " + foreign), b"404"),
    ):
        assert gate.say(data).split(b" ", 2)[1] == status, data
    assert gate.reached == before


def test_the_agents_key_reaches_no_destination(gate: Gate) -> None:
    url = f"http://127.0.0.1:{gate.plain.port}/ok"
    gate.say(gate.request(url, b"connection: x-keep, proxy-authorization"))
    sent = str(gate.plain.seen[-1]["headers"])
    assert gate.server.agent_key not in sent and "proxy-auth" not in sent
