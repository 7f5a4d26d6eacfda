"""The control point that a program is given: a running server, or one opened for as long as it runs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from clearance.cli.agent_keys import registered
from clearance.cli.person_here import local_person
from clearance.cli.target import tell_closed
from clearance.config import Settings
from clearance.errors import RequestError
from clearance.sdk.remote import RemoteBackend
from clearance.wiring import MEMORY, assemble, utc_now

_LABEL = "clearance run"
_LOOPBACK = "127.0.0.1"
_OF_PEOPLE = ("clt_", "cls_")  # a service's token, a person's session: no agent may have one
_CA = "clearance-egress-ca.pem"


class Doors(Struct, frozen=True, kw_only=True):
    """Where the doors are, and the agent's key to them. Without `egress_port` that door is closed."""

    url: str
    key: str
    egress_host: str = ""
    egress_port: int = 0
    ca_file: str = ""  # of the egress proxy, where it looks into TLS


class _Made(Struct, frozen=True):
    key_id: str
    key: str


@contextmanager
def doors(settings: Settings, agent: str, *, hours: int) -> Iterator[Doors]:
    """Open while the program runs. Raises ClearanceError, OSError."""
    with _remote(settings, agent, hours) if settings.url else _own(settings, agent, hours) as opened:
        yield opened


@contextmanager
def _own(settings: Settings, agent: str, hours: int) -> Iterator[Doors]:
    from clearance.gateway.beside import serving

    egress = replace(settings.egress, host=_LOOPBACK, port=_free_port())
    settings = replace(settings, host=_LOOPBACK, egress=egress)
    assembly = assemble(settings)
    tell_closed(assembly)
    with serving(assembly, settings) as url:
        by = local_person().name
        registered(assembly, agent, by=by)
        ends = utc_now() + timedelta(hours=hours)
        key, made = assembly.keys.issue(agent, by=by, expires_at=ends, label=_LABEL)
        try:
            yield _doors(settings, url, key)
        finally:
            assembly.keys.revoke(made.credential_id, by=by)


@contextmanager
def _remote(settings: Settings, agent: str, hours: int) -> Iterator[Doors]:
    if not settings.api_key.startswith(_OF_PEOPLE):
        yield _doors(settings, settings.url, settings.api_key)
        return
    backend = RemoteBackend(settings)
    try:
        days = max(1, round(hours / 24))
        path, wanted = f"/v1/agents/{quote(agent, safe='')}/keys", {"expires_days": days, "label": _LABEL}
        made = backend.ask("POST", path, wanted, _Made)
        try:
            yield _doors(settings, settings.url, made.key)
        finally:
            backend.ask("DELETE", f"/v1/keys/{made.key_id}", None, dict)
    finally:
        backend.close()


def _doors(settings: Settings, url: str, key: str) -> Doors:
    egress, host = settings.egress, urlsplit(url).hostname
    if host is None:
        raise RequestError("`url` names no host.", reason="wrong_value")
    where = host if egress.host in ("", "0.0.0.0", "::") else egress.host  # noqa: S104  compared, not bound
    return Doors(
        url=url.rstrip("/"),
        key=key,
        egress_host=where if egress.port else "",
        egress_port=egress.port,
        ca_file=_ca_file(settings) if egress.intercept else "",
    )


def _ca_file(settings: Settings) -> str:
    """Empty where there is none on this machine."""
    kept = settings.egress.ca_directory or ("" if settings.store == MEMORY else f"{settings.store}/ca")
    file = Path(kept) / _CA
    return str(file) if kept and file.exists() else ""


def _free_port() -> int:
    with socket.create_server((_LOOPBACK, 0)) as probe:
        return int(probe.getsockname()[1])
