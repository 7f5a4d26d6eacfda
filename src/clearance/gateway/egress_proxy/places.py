"""Where a request goes: one spelling for a host and port, nothing that could mean two. Looks nothing up."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from msgspec import Struct

from clearance.core.normalize.http import normalised_host
from clearance.errors import RequestError

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# What inet_aton takes for an address though it is no dotted quad: `0x7f.1`, `017700000001`, `127.1`, `0`.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_MOST_BYTES = 2_048
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,4}")


class Place(Struct, frozen=True, kw_only=True):
    """A host (a name, or an address without brackets) and a port of it."""

    host: str
    port: int

    @property
    def is_address(self) -> bool:
        return ":" in self.host or self.host.rpartition(".")[2].isdigit()

    def url(self, scheme: str, target: str = "/") -> str:
        """As policies see it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORT[scheme] else f":{self.port}"
        return f"{scheme}://{host}{port}{target}"


DEFAULT_PORT = {"http": 80, "https": 443}


@lru_cache(maxsize=1_024)  # clients name the same few with every request, and often twice
def read_place(authority: bytes, *, default_port: int | None = None) -> Place:
    """`host:port`. Raises RequestError for what is malformed, or has more readings than one."""
    if len(authority) > _MOST_BYTES:
        raise _bad("The destination is no host name.")
    try:
        text = authority.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("The destination is not UTF-8.") from None
    if "@" in text:
        raise RequestError(
            "A destination names no user; send credentials as a header.", reason="destination_userinfo"
        )
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in host or (port and not port.startswith(":")):
            raise _bad("The destination is no `[address]:port`.")
        return Place(host=_address(host), port=_port(port[1:], default_port))
    host, _, port = text.partition(":")
    return Place(host=_name(host), port=_port(port, default_port))


def _port(text: str, default: int | None) -> int:
    if not text and default is not None:
        return default
    if not _DECIMAL.fullmatch(text) or not 0 < int(text) < 65_536:
        raise _bad("The destination's port is no number from 1 to 65535.")
    return int(text)


def _address(text: str) -> str:
    try:
        return ipaddress.IPv6Address(text if "%" not in text else "").compressed
    except ValueError:
        raise _bad("The destination is no IPv6 address; zones are not taken.") from None


def _name(text: str) -> str:
    host = normalised_host(text)
    labels = host.split(".")
    if not host or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad("The destination is no host name.")
    if not _NUMBER.fullmatch(labels[-1]):
        return host
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise RequestError(
            "The destination is a number that is no IPv4 address of four decimals.",
            reason="destination_ambiguous",
        ) from None


def _bad(message: str) -> RequestError:
    return RequestError(message, reason="destination_malformed")
