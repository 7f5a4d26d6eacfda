"""TLS opened with our authority: every request inside judged, credentials added, the far end verified."""

from __future__ import annotations

import json
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from clearance.config import EgressCredential, EgressSettings
from clearance.errors import ConfigurationError
from clearance.gateway.egress_proxy.authority import Authority
from clearance.gateway.egress_proxy.credentials import Credentials
from tests.gateway.egress_proxy.proxies import LOOPBACK, Client, Proxy, egress_proxy
from tests.servers.certificates import TestAuthority
from tests.servers.web import Web, web_server

pytestmark = pytest.mark.servers  # takes its time

HOST = "api.example"


@dataclass
class Scene:
    proxy: Proxy
    web: Web
    trusts: ssl.SSLContext  # our authority, and nobody else

    async def inside(self, server_name: str = HOST) -> Client:
        client = await self.proxy.connect()
        answer = await client.ask(f"CONNECT {HOST}:{self.web.port} HTTP/1.1", f"Host: {HOST}:{self.web.port}")
        assert answer.status == 200
        await client.writer.start_tls(self.trusts, server_hostname=server_name)
        return client

    async def ask(
        self, line: str, *headers: str, host: str = HOST, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        client = await self.inside()
        lines = [f"{line} HTTP/1.1", f"Host: {host}:{self.web.port}", *headers, "", ""]
        await client.send("\r\n".join(lines).encode() + body)
        answer = await client.answer(is_head=line.startswith("HEAD"))
        client.close()
        return answer.status, answer.headers, answer.body


@asynccontextmanager
async def scene(
    tmp_path: Path, *credentials: EgressCredential, served_as: str = HOST, trusted: bool = True
) -> AsyncIterator[Scene]:
    authority = TestAuthority(tmp_path)
    settings = EgressSettings(
        private=LOOPBACK,
        ports=tuple(range(1, 65_536)),
        intercept=("*.example",),
        ca_directory=str(tmp_path / "ca"),
        ca_file=str(authority.file) if trusted else "",
        credentials=credentials,
    )
    with web_server(authority.server(served_as)) as web:
        async with egress_proxy(settings) as proxy:
            ours = ssl.create_default_context(cafile=str(tmp_path / "ca/clearance-egress-ca.pem"))
            yield Scene(proxy, web, ours)


async def test_each_request_inside_is_judged_by_method_and_path(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.proxy.policies(
            {"name": "admin", "rule": "block", "condition": {"resource_pattern": "*/admin/*"}},
            {"name": "deletes", "rule": "block", "condition": {"operation": "delete"}},
        )
        client = await at.inside()

        async def ask(line: str) -> int:
            await client.send(f"{line} HTTP/1.1\r\nHost: {HOST}:{at.web.port}\r\n\r\n".encode())
            return (await client.answer()).status

        paths = ("GET /ok", "GET /admin/x", "GET /a/../admin/x", "GET /%61dmin/x", "DELETE /ok", "GET /fine")
        assert [await ask(path) for path in paths] == [200, 403, 403, 403, 403, 200]
        assert [each["path"] for each in at.web.seen] == ["/ok", "/fine"]
        assert [each["tool"] for each in at.proxy.told("intent")] == ["http_request"] * 2
        assert at.proxy.told("intent")[0]["arguments"]["url"] == f"https://{HOST}:{at.web.port}/ok"


async def test_bodies_and_answers_pass_whole(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        status, _, body = await at.ask("POST /", "Content-Length: 300000", body=b"y" * 300_000)
        assert (status, json.loads(body)["body"]) == (200, "y" * 300_000)
        assert (await at.ask("GET /big?bytes=2000000"))[2] == b"x" * 2_000_000
        assert (await at.ask("GET /chunked?pieces=300"))[2] == b"".join(
            b"piece%d" % (n % 10) for n in range(300)
        )
        status, headers, body = await at.ask("HEAD /big?bytes=77")
        assert (status, headers["content-length"], body) == (200, "77", b"")


async def test_a_credential_replaces_what_the_agent_sends_and_is_shown_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_SECRET", "planted-credential-1")
    mine = EgressCredential(host=HOST, value_env="API_SECRET", prefix="Bearer ", agents=("ag*",))
    other = EgressCredential(host=HOST, header="x-key", value_env="API_SECRET", agents=("billing",))
    async with scene(tmp_path, mine, other) as at:
        await at.ask("GET /", "Authorization: Bearer forged", "AUTHORIZATION: again")
        [seen] = at.web.seen
        assert seen["headers"]["authorization"] == "Bearer planted-credential-1"
        assert "x-key" not in seen["headers"]
        assert all("planted-credential" not in str(record.decoded()) for record in at.proxy.records())


async def test_a_credential_is_not_drawn_out_by_asking_in_the_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_SECRET", "planted-credential-1")
    credentials = Credentials([EgressCredential(host=HOST, value_env="API_SECRET")])
    from clearance.errors import RequestError
    from clearance.gateway.egress_proxy.places import Place

    place = Place(host=HOST, port=80)
    with pytest.raises(RequestError) as refused:
        credentials.onward((), place, "agent", is_private=False)
    assert refused.value.reason == "credential_in_clear"
    assert credentials.onward((), Place(host="other.example", port=80), "agent", is_private=False) == ()


def test_secrets_that_are_missing_or_no_header_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a\nb")
    credentials = [
        EgressCredential(host="a.example", value_env="NOT_SET_ANYWHERE"),
        EgressCredential(host="b.example", value_file=str(tmp_path / "secret")),
        EgressCredential(host="c.example", value_file=str(tmp_path / "none")),
    ]
    with pytest.raises(ConfigurationError) as wrong:
        Credentials(credentials)
    assert len(wrong.value.problems) == 3
    assert "a\nb" not in str(wrong.value)


@pytest.mark.parametrize(("served_as", "trusted"), [("other.example", True), (HOST, False)])
async def test_a_far_end_that_does_not_prove_its_name_gets_nothing(
    tmp_path: Path, served_as: str, trusted: bool
) -> None:
    async with scene(tmp_path, served_as=served_as, trusted=trusted) as at:
        status, headers, _ = await at.ask("GET /")
        assert (status, headers["clearance-reason"]) == (502, "tls_failed")
        assert at.web.seen == []


async def test_another_server_name_or_host_inside_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await at.inside("other.example")
        status, headers, _ = await at.ask("GET /", host="other.example")
        assert (status, headers["clearance-reason"]) == (400, "host_mismatch")
        for line in ("GET http://other.example/", f"CONNECT {HOST}:443", "GET *"):
            assert (await at.ask(line))[0] in (400, 405), line
        assert at.web.seen == []


async def test_only_http_1_1_is_offered_inside(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.trusts.set_alpn_protocols(["h2", "http/1.1"])
        client = await at.inside()
        tls = client.writer.get_extra_info("ssl_object")
        assert tls.selected_alpn_protocol() == "http/1.1"


async def test_a_key_that_is_revoked_is_worth_nothing_on_an_open_connection(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        client = await at.inside()
        for expected in (200, 407):
            await client.send(f"GET / HTTP/1.1\r\nHost: {HOST}:{at.web.port}\r\n\r\n".encode())
            assert (await client.answer()).status == expected
            [key] = at.proxy.assembly.state.credentials.credentials()
            at.proxy.assembly.keys.revoke(key.credential_id, by="ops")


def test_the_authority_is_made_once_kept_to_us_and_found_again(tmp_path: Path) -> None:
    first, second = Authority(tmp_path / "ca"), Authority(tmp_path / "ca")
    assert first.certificate.read_bytes() == second.certificate.read_bytes()
    key = tmp_path / "ca/clearance-egress-ca-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert b"PRIVATE" not in first.certificate.read_bytes()
    made = x509.load_pem_x509_certificate(first.certificate.read_bytes())
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert first.context(HOST) is first.context(HOST)


def test_an_authority_that_cannot_be_read_is_said_and_not_made_anew(tmp_path: Path) -> None:
    Authority(tmp_path)
    (tmp_path / "clearance-egress-ca-key.pem").write_text("nonsense")
    with pytest.raises(ConfigurationError):
        Authority(tmp_path)
