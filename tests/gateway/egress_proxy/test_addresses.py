"""Which addresses are reached, by name and by number, whatever they hide in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from clearance.errors import RequestError
from clearance.gateway.egress_proxy.addresses import Addresses
from clearance.gateway.egress_proxy.places import Place, read_place

pytestmark = pytest.mark.servers  # takes its time

PUBLIC = ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def answering(*found: str) -> Addresses:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return found

    return Addresses(resolve=resolve)


@pytest.mark.parametrize("address", PUBLIC)
async def test_a_public_address_is_reached(address: str) -> None:
    found = await answering(address).of(Place(host="a.example", port=443))
    [reached] = found.addresses
    assert reached == address.removeprefix("::ffff:")


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_address_is_refused_as_a_name_and_as_a_number(address: str) -> None:
    with pytest.raises(RequestError) as refused:
        await answering(address).of(Place(host="a.example", port=443))
    assert refused.value.reason == "destination_private"
    bracketed = f"[{address}]" if ":" in address else address
    with pytest.raises(RequestError) as refused:
        await answering().of(read_place(f"{bracketed}:443".encode()))
    assert refused.value.reason == "destination_private"


async def test_one_private_address_among_public_ones_refuses_all() -> None:
    with pytest.raises(RequestError):
        await answering("8.8.8.8", "10.0.0.1").of(Place(host="a.example", port=443))


async def test_a_network_that_is_allowed_is_reached_and_no_other() -> None:
    addresses = Addresses(["10.1.0.0/16"])
    assert await addresses.of(Place(host="10.1.2.3", port=80))
    with pytest.raises(RequestError):
        await addresses.of(Place(host="10.2.2.3", port=80))
    with pytest.raises(RequestError):
        await addresses.of(read_place(b"[64:ff9b::a02:203]:80"))


async def test_our_own_doors_are_not_reached_through_the_proxy() -> None:
    addresses = Addresses(["127.0.0.0/8", "::/0"], ports=[8700, 80], own=[8700])
    for host in ("127.0.0.1", "127.9.9.9", "::1"):
        with pytest.raises(RequestError) as refused:
            await addresses.of(Place(host=host, port=8700))
        assert refused.value.reason == "destination_own"
        assert await addresses.of(Place(host=host, port=80))


async def test_a_name_without_an_address_and_a_resolver_that_lies_are_refused() -> None:
    for found in ((), ("not an address",), ("127.0.0.1; rm",)):
        with pytest.raises(RequestError) as refused:
            await answering(*found).of(Place(host="a.example", port=443))
        assert refused.value.reason == "destination_unknown"


async def test_the_system_resolver_knows_this_machine() -> None:
    found = await Addresses(["127.0.0.0/8", "::1/128"]).of(Place(host="localhost", port=80))
    assert set(found.addresses) <= {"127.0.0.1", "::1"}


async def test_a_name_is_looked_up_once_for_all_that_ask_shortly_after() -> None:
    asked = 0

    async def resolve(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return ["8.8.8.8"]

    addresses = Addresses(resolve=resolve)
    for _ in range(3):
        await addresses.of(Place(host="a.example", port=443))
    assert asked == 1


async def test_an_address_that_failed_is_tried_after_the_others_and_none_is_added() -> None:
    addresses, place = answering("8.8.8.8", "8.8.4.4"), Place(host="a.example", port=443)
    await addresses.of(place)
    addresses.failed(place, "8.8.8.8")
    addresses.failed(place, "10.0.0.1")
    assert (await addresses.of(place)).addresses == ("8.8.4.4", "8.8.8.8")


def test_a_destination_longer_than_any_name_is_malformed() -> None:
    """Soft hyphens mean nothing, however many: what is kept of a place has a bound."""
    with pytest.raises(RequestError) as refused:
        read_place("a\u00ad.example:443".replace("\u00ad", "\u00ad" * 2_000).encode())
    assert refused.value.reason == "destination_malformed"


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("EXAMPLE.org.:443", "example.org"),
        ("bücher.example:443", "xn--bcher-kva.example"),
        ("ｅxample.org:443", "example.org"),
        ("[2001:DB8:0::1]:443", "2001:db8::1"),
        ("_srv.example.org:443", "_srv.example.org"),
        ("１.2.3.4:443", "1.2.3.4"),
    ],
)
def test_a_host_has_one_spelling(written: str, host: str) -> None:
    assert read_place(written.encode()).host == host
