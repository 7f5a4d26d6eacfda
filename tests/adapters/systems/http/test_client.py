"""Requests that end: redirects, faults, slow and huge answers, and addresses that are not public."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from clearance.adapters.systems.http import client as client_module
from clearance.adapters.systems.http.client import Client, public_address
from clearance.adapters.systems.http.options import HttpOptions, PrivateAddresses
from clearance.errors import SystemUnavailableError
from tests.servers.rest import RestApi


@pytest.fixture
def api() -> Iterator[RestApi]:
    with RestApi() as server:
        server.records["/a"] = b'{"a": 1, "b": "' + b"x" * 100 + b'"}'
        yield server


def client(api: RestApi, **options: Any) -> Client:
    allowed = {"private_addresses": PrivateAddresses.ALLOW, "base_url": api.url, **options}
    return Client(HttpOptions(**allowed), {"Authorization": "Bearer hush"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 429, 500, 503])
def test_a_redirect_and_a_fault_are_no_answer(api: RestApi, status: int) -> None:
    api.answers["GET"] = status
    opened = client(api)
    with pytest.raises(SystemUnavailableError) as told:
        opened.send("GET", "/a")
    assert "hush" not in str(told.value)
    assert len(api.seen) == 1
    opened.close()


def test_an_answer_that_drips_is_given_up_in_time(api: RestApi) -> None:
    api.drip_seconds = 0.1
    opened = client(api, timeout_seconds=0.3)
    started = time.monotonic()
    with pytest.raises(SystemUnavailableError, match="in time"):
        opened.send("GET", "/a")
    assert time.monotonic() - started < 1.5
    opened.close()


def test_an_answer_over_the_limit_is_not_read_to_its_end(api: RestApi) -> None:
    opened = client(api, most_bytes=50)
    with pytest.raises(SystemUnavailableError, match="most_bytes"):
        opened.send("GET", "/a")
    opened.close()


def test_a_server_that_is_gone_is_unavailable(api: RestApi) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        opened = client(api, base_url=f"http://127.0.0.1:{probe.getsockname()[1]}")
        with pytest.raises(SystemUnavailableError, match="ConnectError"):
            opened.send("GET", "/a")
        opened.close()


def test_a_proxy_of_the_environment_is_not_used(api: RestApi, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert "HTTP_PROXY" in os.environ
    opened = client(api)
    assert opened.send("GET", "/a").status == 200
    opened.close()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "2002:0a00:0001::1",
        "127.1",
        "2130706433",
    ],
)
def test_a_private_address_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(SystemUnavailableError):
        public_address(host, 443)


def test_private_addresses_are_refused_unless_allowed(api: RestApi) -> None:
    opened = client(api, private_addresses=PrivateAddresses.REFUSE)
    with pytest.raises(SystemUnavailableError, match="private_addresses: allow"):
        opened.send("GET", "/a")
    assert not api.seen
    opened.close()


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(2, 1, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(client_module.socket, "getaddrinfo", resolve)
    with pytest.raises(SystemUnavailableError, match="private"):
        public_address("two.example", 443)


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving again would let a name server change its mind in between."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    resolved = [(2, 1, 6, "", ("93.184.216.34", 443))]
    monkeypatch.setattr(client_module.socket, "getaddrinfo", lambda *_, **__: resolved)
    guarded = client_module.PublicOnly(httpx.MockTransport(answer))
    with httpx.Client(transport=guarded) as opened:
        opened.get("https://api.example/v1/a")
    [request] = seen
    assert request.url.host == "93.184.216.34"
    assert request.headers["host"] == "api.example"
    assert request.extensions["sni_hostname"] == "api.example"
