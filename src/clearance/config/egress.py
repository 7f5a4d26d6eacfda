"""`egress:` of clearance.yaml: where the egress proxy listens, what it may reach, adds and looks into."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from clearance.errors import Problem

_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:]+")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_PREFIX = re.compile(r"[\x20-\x7e]*")
# What would change the framing or the route of a request, or is this proxy's own.
_NO_CREDENTIAL = frozenset(
    [
        "connection",
        "content-length",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)

Port = Annotated[int, Meta(ge=1, le=65_535)]


class Tunnels(StrEnum):
    """What goes through CONNECT: TLS to the host that was named, or anything."""

    TLS = "tls"
    ANY = "any"


class EgressCredential(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A header that is set on requests to a host, for the agents named: they never hold the secret.

    Only where the request can be seen: TLS that is intercepted, or plain HTTP to an address of `private`.
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
    Request bodies of text up to `judged_body_bytes` are shown to policies, and recorded.
    """

    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    host: str = ""  # where it listens; empty: as the server
    private: tuple[str, ...] = ()
    intercept: tuple[str, ...] = ()
    ca_directory: str = ""  # empty: `ca` in the store
    ca_file: str = ""  # whom intercepted destinations are verified by; empty: the system's authorities
    credentials: tuple[EgressCredential, ...] = ()
    ports: tuple[Port, ...] = (80, 443)  # of destinations
    tunnels: Tunnels = Tunnels.TLS
    judged_body_bytes: Annotated[int, Meta(ge=0, le=1_048_576)] = 65_536
    connect_timeout_seconds: Annotated[float, Meta(gt=0, le=600)] = 10.0
    idle_timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 300.0


_Wrong = Callable[[str], None]


def read_egress(value: Any, *, file: str) -> tuple[EgressSettings, list[Problem]]:
    """What stands there, and everything that is wrong with it."""
    problems: list[Problem] = []

    def wrong(text: str) -> None:
        problems.append(Problem("wrong_value", f"egress: {text}", file))

    if not isinstance(value, Mapping):
        wrong("must be a mapping")
        return EgressSettings(), problems
    given = dict(value)
    credentials = given.pop("credentials", ())
    if not isinstance(credentials, list | tuple):
        wrong("`credentials` must be a list")
        credentials = ()
    read = [
        _struct(each, EgressCredential, _about(wrong, f"credential {index + 1}"))
        for index, each in enumerate(credentials)
    ]
    settings = _struct(given, EgressSettings, wrong) or EgressSettings()
    settings = msgspec.structs.replace(settings, credentials=tuple(each for each in read if each))
    _check(settings, wrong)
    return settings, problems


def _about(wrong: _Wrong, what: str) -> _Wrong:
    return lambda text: wrong(f"{what}: {text}")


def _struct(value: Any, kind: type[Any], wrong: _Wrong) -> Any:
    """Every field that fits; None, and told why, where what is left is none."""
    if not isinstance(value, Mapping):
        return wrong("must be a mapping")
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    kept: dict[str, Any] = {}
    for key, each in value.items():
        if key not in fields:
            wrong(f"`{key}` is not a setting; known: {', '.join(fields)}")
            continue
        try:
            kept[key] = msgspec.convert(each, fields[key].type)
        except msgspec.ValidationError as error:
            wrong(f"`{key}` has a value that does not fit: {error}")
    missing = [name for name, field in fields.items() if field.required and name not in value]
    for name in missing:
        wrong(f"`{name}` is missing")
    needed = [name for name, field in fields.items() if field.required]
    return kind(**kept) if all(name in kept for name in needed) else None


def _check(settings: EgressSettings, wrong: _Wrong) -> None:
    for network in settings.private:
        try:
            ip_network(network)
        except ValueError:
            wrong(f"`private`: {network} is no network; write 10.1.0.0/16")
    for host in settings.intercept:
        if not _HOST.fullmatch(host):
            wrong(f"`intercept`: {host} is no host; write api.example.org or *.example.org, in small letters")
    for credential in settings.credentials:
        told = _about(wrong, f"credential for {credential.host}")
        _check_credential(credential, told)
        if not settings.private and not any(_covers(each, credential.host) for each in settings.intercept):
            told("it would never be set: name the host under `intercept`")


def _covers(pattern: str, host: str) -> bool:
    """Whether all that `host` names, itself perhaps `*.example.org`, is among what `pattern` does."""
    return host == pattern or (pattern.startswith("*.") and host.removeprefix("*").endswith(pattern[1:]))


def _check_credential(credential: EgressCredential, wrong: _Wrong) -> None:
    if not _HOST.fullmatch(credential.host):
        wrong("`host` is no host; write api.example.org or *.example.org, in small letters")
    if bool(credential.value_env) == bool(credential.value_file):
        wrong("give one of `value_env` and `value_file`: where the secret is, never the secret")
    if not _HEADER.fullmatch(credential.header) or credential.header.lower() in _NO_CREDENTIAL:
        wrong("`header` is no header that can carry a credential")
    if not _PREFIX.fullmatch(credential.prefix):
        wrong("`prefix` holds a character that no header can have")
