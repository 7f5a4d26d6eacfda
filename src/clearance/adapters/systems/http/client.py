"""Requests to one API: no redirect followed, no proxy of the environment, no more bytes than allowed.

It knows nothing of records. Its errors name the method and the status, never an address or a header.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Final

import httpx
from msgspec import Struct

from clearance.adapters.systems.http.options import HttpOptions, PrivateAddresses
from clearance.errors import SystemUnavailableError

_REDIRECTS: Final = range(300, 400)


class Reply(Struct, frozen=True, kw_only=True):
    """An answer, whole."""

    status: int
    headers: dict[str, str]  # lower-case names
    body: bytes


class Client:
    """One connection pool. Thread-safe."""

    def __init__(self, options: HttpOptions, headers: Mapping[str, str]) -> None:
        self._base = options.base_url.rstrip("/")
        self._most_bytes = options.most_bytes
        self._timeout_seconds = options.timeout_seconds
        transport: httpx.BaseTransport = httpx.HTTPTransport(trust_env=False)
        if options.private_addresses is PrivateAddresses.REFUSE:
            transport = PublicOnly(transport)
        self._client = httpx.Client(
            headers={"Accept-Encoding": "identity", **headers},
            timeout=options.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def send(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """As `exchange`; a redirect and a server's error are no answer either."""
        reply = self.exchange(method, path, body=body, headers=headers)
        if reply.status in _REDIRECTS:
            raise SystemUnavailableError(f"{method} was answered by a redirect: name the address it leads to")
        if reply.status >= 500 or reply.status == 429:
            raise SystemUnavailableError(f"the server answered {reply.status} to {method}")
        return reply

    def exchange(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Raises SystemUnavailableError for no answer in time, and for a body over the limit."""
        deadline = time.monotonic() + self._timeout_seconds  # a body that drips keeps httpx's own waiting
        request = self._client.build_request(
            method, self._base + path, content=body or None, headers=dict(headers or {})
        )
        received = bytearray()
        try:
            with closing(self._client.send(request, stream=True)) as response:
                for part in response.iter_bytes():
                    received += part
                    if len(received) > self._most_bytes:
                        raise SystemUnavailableError(f"the answer to {method} is larger than `most_bytes`")
                    if time.monotonic() > deadline:
                        raise SystemUnavailableError(f"no whole answer to {method} in time")
        except httpx.HTTPError as error:
            raise SystemUnavailableError(f"no answer to {method}: {type(error).__name__}") from None
        return Reply(status=response.status_code, headers=dict(response.headers), body=bytes(received))

    def close(self) -> None:
        self._client.close()


class PublicOnly(httpx.BaseTransport):
    """Resolves the host itself, and connects to the very address that it has checked."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        address = public_address(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def public_address(host: str, port: int) -> str:
    """One address of the host. Raises SystemUnavailableError unless every address is public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise SystemUnavailableError("the host of `base_url` has no address") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not all(_is_public(each) for each in addresses):
        raise SystemUnavailableError(
            "the host of `base_url` has a private address: set `private_addresses: allow` if that is meant"
        )
    return addresses[0]


def _is_public(address: str) -> bool:
    read = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(read, ipaddress.IPv6Address) and (read.ipv4_mapped or read.sixtofour):
        return False  # a private address may hide in it
    return read.is_global and not read.is_multicast
