"""Where a request goes: scheme, host and port, and the address that stands for the host if it is pinned."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

_PORTS = {"http": 80, "https": 443}


class Origin(Struct, frozen=True):
    """`address` is the IP that is connected to; `host` stays what TLS and the Host header name."""

    scheme: str
    host: str
    port: int
    address: str = ""

    @classmethod
    def of(cls, url: str) -> Origin:
        """Raises ValueError for what is no http or https URL, or has a user in it."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
            raise ValueError("not an http or https URL with a host and without a user")
        port, host = parts.port, parts.hostname.encode("idna").decode()
        return cls(parts.scheme, host, _PORTS[parts.scheme] if port is None else port)

    @property
    def authority(self) -> str:
        """As in a URL and in the Host header: without the port that goes without saying."""
        return self.host_in_url if self.port == _PORTS[self.scheme] else f"{self.host_in_url}:{self.port}"

    @property
    def host_in_url(self) -> str:
        """An IPv6 address stands in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host
