"""The walls around a program: the doors inside them, the rest outside. Builds nothing."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from clearance.cage import Listen, Walls
from clearance.cli.running import kept_back
from clearance.cli.running.doors import Doors
from clearance.config import Settings

_INSIDE = "127.0.0.1"


def walls(settings: Settings, doors: Doors) -> Walls:
    """Inside, the doors are where they are outside: same name or address, same port."""
    at = urlsplit(doors.url)
    ports = [(at.hostname or "", at.port or (443 if at.scheme == "https" else 80))]
    if doors.egress_port:
        ports.append((doors.egress_host, doors.egress_port))
    return Walls(
        listens=tuple(
            Listen(address=_inside(host), port=port, host=host, to_port=port)
            for host, port in dict.fromkeys(ports)
        ),
        names={host: _INSIDE for host, _ in ports if not _is_address(host)},
        hidden=kept_back.hidden(settings),
        read_only=kept_back.read_only(settings),
    )


def _inside(host: str) -> str:
    return host if _is_address(host) else _INSIDE


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
