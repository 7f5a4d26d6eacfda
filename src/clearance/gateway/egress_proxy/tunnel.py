"""One CONNECT: cleared, connected to a checked address, and watched until its name is known to be the one."""

from __future__ import annotations

import asyncio

from clearance.config import Tunnels
from clearance.core.model import CheckResult
from clearance.errors import RequestError
from clearance.gateway.egress_proxy.asking import Asker
from clearance.gateway.egress_proxy.carrying import Measured
from clearance.gateway.egress_proxy.client_hello import (
    UNRECOGNIZED_NAME,
    ClientHello,
    NotTlsError,
    read_client_hello,
)
from clearance.gateway.egress_proxy.exchange import Means
from clearance.gateway.egress_proxy.link import Link, Stream
from clearance.gateway.egress_proxy.places import Place
from clearance.gateway.egress_proxy.requests import tunnel_call
from clearance.gateway.upstream import UpstreamError

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_HELLO_SECONDS = 30.0


async def tunnel(client: Link, place: Place, asker: Asker, means: Means) -> None:
    """Returns when both ends are done. Raises as `exchange` does; after the 200 only what ends it."""

    async def act(_: CheckResult, measured: Measured) -> None:
        server = await _connected(place, means, measured)
        try:
            measured.has_begun = True
            await client.send(ESTABLISHED)
            if means.settings.tunnels is Tunnels.TLS:
                await check_name(client, place)
            await client.join(server)
        finally:
            measured.sent, measured.received = server.sent, server.received
            server.abort()

    await means.carrying.out(tunnel_call(place, asker.run.run_id), asker, act)


async def check_name(client: Stream, place: Place) -> None:
    """Look at the ClientHello, and leave it to be received. Raises RequestError for another name or none."""
    data = b""
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            while (hello := read_client_hello(data)) is None:
                chunk = await client.receive()
                if not chunk:
                    raise NotTlsError("nothing came")
                data += chunk
        _check(hello, place)
    except (NotTlsError, TimeoutError):
        raise RequestError(
            "Only TLS goes through a tunnel; ask for anything else as plain HTTP.", reason="tunnel_not_tls"
        ) from None
    except RequestError:
        await client.send(UNRECOGNIZED_NAME)
        raise
    client.push_back(data)


def _check(hello: ClientHello, place: Place) -> None:
    if hello.is_encrypted:
        raise RequestError("The server name is encrypted (ECH): turn that off.", reason="tunnel_name_hidden")
    expected = "" if place.is_address else place.host  # RFC 6066, section 3: no addresses in server names
    if hello.server_name != expected:
        raise RequestError("The server name is not the host that was asked for.", reason="tunnel_name")


async def _connected(place: Place, means: Means, measured: Measured) -> Link:
    """To the first address that answers. Raises RequestError, UpstreamError."""
    loop = asyncio.get_running_loop()
    reason = "connect_failed"
    for address in (await means.addresses.of(place)).addresses:
        measured.address = address
        try:
            async with asyncio.timeout(means.settings.connect_timeout_seconds):
                _, link = await loop.create_connection(lambda: Link(means.arrivals), address, place.port)
            return link
        except TimeoutError:
            reason = "connect_timeout"
        except OSError:
            reason = "connect_failed"
        means.addresses.failed(place, address)
    raise UpstreamError(f"{place.host} cannot be connected to.", reason=reason, sent=False)
