"""The egress proxy's part of clearance.yaml: where it listens, what it may reach, adds and looks into."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class EgressCredential(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A header that is set on requests to a host, for the agents named: they never hold the secret.

    Only where the request can be seen: plain HTTP, or TLS that is intercepted.
    """

    host: str  # a host, or *.example.org
    header: str = "authorization"
    value_env: str = ""
    value_file: str = ""
    prefix: str = ""  # `Bearer `, say
    agents: tuple[str, ...] = ()  # globs; none: every agent


class EgressSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `egress:` mapping. Without a port the door is closed.

    Private, loopback and link-local addresses are refused, by name or by number, unless a network of
    `private` (CIDR) holds them. `intercept` names hosts (`*.example.org`) whose TLS is opened with our CA.
    """

    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    host: str = ""  # where it listens; empty: as the server
    private: tuple[str, ...] = ()
    intercept: tuple[str, ...] = ()
    ca_directory: str = ""  # empty: `ca` in the store
    credentials: tuple[EgressCredential, ...] = ()
    ports: tuple[int, ...] = (80, 443)  # of destinations
    connect_timeout_seconds: Annotated[float, Meta(gt=0, le=600)] = 10.0
    idle_timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
