"""Which addresses may be connected to. Names are looked up once: what was checked is what is connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from msgspec import Struct
from msgspec.structs import replace

from clearance.errors import RequestError
from clearance.gateway.egress_proxy.places import Place
from clearance.runtime.recent import Recent

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address behind a translator
_UNICAST = IPv6Network("2000::/3")  # all that is routed (IANA); of IPv4 everything but what stands below
# IANA's special-purpose registries, RFC 6890 and later; a list, since what Python calls global changes with
# its version. 168.63.129.16 is Azure's platform service, metadata included.
_SPECIAL_LIST = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4
    240.0.0.0/4 2001::/23 2001:db8::/32 2002::/16 3fff::/20
"""
_SPECIAL = tuple(ipaddress.ip_network(network) for network in _SPECIAL_LIST.split())
_KEPT = 4_096
_KEPT_SECONDS = 10.0


class Found(Struct, frozen=True, kw_only=True):
    """What a name meant when it was looked up, and what the settings say to that."""

    addresses: tuple[str, ...]
    is_private: bool  # every address lies in a network that is allowed as private
    may_be_reached: bool
    until: float


class Addresses:
    """What names mean at this moment, and whether every address of it may be reached.

    `ports` may be reached. `own` are those of this control point: on addresses of this machine they are
    reached directly, never through the proxy.
    """

    def __init__(
        self,
        private: Sequence[str] = (),
        *,
        ports: Sequence[int] = (80, 443),
        own: Sequence[int] = (),
        resolve: Resolve | None = None,
    ) -> None:
        self._private: tuple[Network, ...] = tuple(ipaddress.ip_network(each) for each in private)
        self._ports = frozenset(ports)
        self._own = frozenset(own)
        self._resolve = resolve or look_up
        self._known: Recent[Found] = Recent(_KEPT)

    async def of(self, place: Place) -> Found:
        """Where this place may be reached. Raises RequestError where any of its addresses is refused."""
        if place.port not in self._ports:
            raise RequestError(
                "This port may not be reached. An administrator can allow it under `egress.ports`.",
                reason="destination_port",
            )
        found = self._known.get(place.host)
        if found is None or found.until < time.monotonic():
            found = self._judged(await self._look_up(place))
            self._known.put(place.host, found)
        if not found.may_be_reached:
            raise RequestError(
                "The destination's address is private, local or reserved. An administrator can allow its"
                " network under `egress.private`.",
                reason="destination_private",
            )
        if place.port in self._own and any(map(is_own, found.addresses)):
            raise RequestError(
                "The destination is Clearance itself: reach it without the proxy (NO_PROXY).",
                reason="destination_own",
            )
        return found

    def failed(self, place: Place, address: str) -> None:
        """From now on it is tried after the others that the name has."""
        found = self._known.get(place.host)
        if found is not None and len(found.addresses) > 1 and address in found.addresses:
            others = tuple(each for each in found.addresses if each != address)
            self._known.put(place.host, replace(found, addresses=(*others, address)))

    async def _look_up(self, place: Place) -> tuple[Address, ...]:
        if place.is_address:
            return (_plain(ipaddress.ip_address(place.host)),)
        try:
            found = await self._resolve(place.host, place.port)
            addresses = tuple(dict.fromkeys(_plain(ipaddress.ip_address(each)) for each in found))
        except (OSError, ValueError, UnicodeError):
            addresses = ()
        if not addresses:
            raise RequestError("The destination's name has no address.", reason="destination_unknown")
        return addresses

    def _judged(self, addresses: Sequence[Address]) -> Found:
        return Found(
            addresses=tuple(str(address) for address in addresses),
            is_private=all(_in_any(address, self._private) for address in addresses),
            may_be_reached=all(self._may_reach(address) for address in addresses),
            until=time.monotonic() + _KEPT_SECONDS,
        )

    def _may_reach(self, address: Address) -> bool:
        if _in_any(address, self._private):
            return True
        if isinstance(address, IPv6Address):
            if address in _NAT64:
                return self._may_reach(IPv4Address(int(address) & 0xFFFF_FFFF))
            if address not in _UNICAST:
                return False
        return not _in_any(address, _SPECIAL)


async def look_up(host: str, port: int) -> Sequence[str]:
    """By the system's resolver, off the loop. Raises OSError."""
    loop = asyncio.get_running_loop()
    flags = socket.AI_ADDRCONFIG
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [str(each[4][0]) for each in found if "%" not in str(each[4][0])]


def is_own(written: str) -> bool:
    """Whether this machine has the address. Sends nothing: the kernel says which it would speak from."""
    address = ipaddress.ip_address(written)
    if address.is_unspecified or address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((written, 9))
            return bool(ipaddress.ip_address(probe.getsockname()[0]) == address)
        except OSError:
            return False


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as IPv6 is the IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _in_any(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
