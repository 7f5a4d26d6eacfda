"""The walls, built from inside a fresh set of namespaces. What cannot be built raises OSError: no cage."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import tempfile
from pathlib import Path

from clearance.cage import calls, kernel
from clearance.cage.plan import Listen, Walls

_LISTENS = 0x10000  # the flag of /proc/net/unix: __SO_ACCEPTCON
_KERNEL_SETTINGS = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/sys")


def listening_unix_sockets() -> tuple[str, ...]:
    """Paths on which some process of the host listens now. Read it before the network is another's."""
    found = set()
    for line in Path("/proc/net/unix").read_text(encoding="utf-8", errors="surrogateescape").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and int(fields[3], 16) & _LISTENS and fields[7].startswith("/"):
            found.add(fields[7])
    return tuple(sorted(found))


def be_only_yourself(user: int, group: int) -> None:
    """In the new user namespace this process is who it was outside, and there is nobody else."""
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def build(walls: Walls, sockets: tuple[str, ...]) -> list[socket.socket]:
    """Mounts first, then the network. Gives back the listening sockets, in the order of `listens`."""
    calls.program(os.uname().machine)  # a machine that has none has no cage
    kernel.mount("none", "/", flags=kernel.RECURSIVE | kernel.PRIVATE)
    _own_processes()
    for path in _KERNEL_SETTINGS:
        _read_only(path)
    for path in walls.read_only:
        _read_only(path)
    for path in (*walls.hidden, *sockets):
        _hide(path)
    if walls.names:
        _name(walls.names)
    kernel.loopback_up()
    for index, address in enumerate(sorted({one.address for one in walls.listens})):
        if not ipaddress.ip_address(address).is_loopback:
            kernel.loopback_address(address, index=index)
    return [_listening(one) for one in walls.listens]


def _own_processes() -> None:
    """A /proc that shows these processes only. Where that is not allowed the host's stays.

    It leads nowhere: what it tells of a process of another user namespace needs rights over that process.
    """
    try:
        kernel.mount("proc", "/proc", kind="proc", flags=kernel.NO_SUID | kernel.NO_DEV | kernel.NO_EXEC)
    except PermissionError:  # inside a container that masks parts of its own /proc
        return


def _hide(path: str) -> None:
    real, mode = os.path.realpath(path), _mode(path)
    if stat.S_ISDIR(mode):
        flags = kernel.NO_SUID | kernel.NO_DEV | kernel.READ_ONLY
        kernel.mount("tmpfs", real, kind="tmpfs", flags=flags, data="size=4k,mode=0755")
    elif mode:
        kernel.mount("/dev/null", real, flags=kernel.BIND)


def _read_only(path: str) -> None:
    if _mode(path):
        real = os.path.realpath(path)
        kernel.mount(real, real, flags=kernel.BIND | kernel.RECURSIVE)
        kernel.make_read_only(real)


def _mode(path: str) -> int:
    """0 for what is not there, or not there for this user: the program is no other."""
    try:
        return Path(path).stat().st_mode
    except OSError:
        return 0


def _name(names: dict[str, str]) -> None:
    """Names stand for addresses inside: in an /etc/hosts of these processes."""
    hosts = Path("/etc/hosts")
    lines = [f"{address} {name}" for name, address in sorted(names.items())]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="hosts-") as own:
        own.write("\n".join([*lines, hosts.read_text(encoding="utf-8")]))
        own.flush()
        Path(own.name).chmod(0o644)
        kernel.mount(own.name, os.path.realpath(hosts), flags=kernel.BIND)


def _listening(one: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in one.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((one.address, one.port))
    made.listen(128)
    return made
