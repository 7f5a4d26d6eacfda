"""The few calls to Linux that Python 3.11 has no name for. Each raises OSError; none decides anything."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from functools import cache

# linux/sched.h
NEW_NAMESPACES = 0x00020000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000  # mount ipc user pid net
# linux/mount.h
READ_ONLY, NO_SUID, NO_DEV, NO_EXEC = 1, 2, 4, 8
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = 442, -100, 0x8000, 1  # Linux 5.12, every machine
# linux/prctl.h
_SECCOMP, _SECCOMP_FILTER = 22, 2
_PDEATHSIG, _CAPBSET_READ, _CAPBSET_DROP, _SUBREAPER, _NO_NEW_PRIVS, _AMBIENT = 1, 23, 24, 36, 38, 47
_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
# linux/sockios.h, linux/if.h
_GET_FLAGS, _SET_FLAGS, _SET_ADDRESS = 0x8913, 0x8914, 0x8916
_IFF_UP = 1


def unshare() -> None:
    """A user namespace, mounts, network and IPC of its own; processes of their own for its children."""
    _checked(_libc().unshare(NEW_NAMESPACES), "unshare")


def mount(source: str, target: str, *, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    done = _libc().mount(source.encode(), os.fsencode(target), kind.encode(), flags, data.encode())
    _checked(done, f"mount {target}")


def make_read_only(target: str) -> None:
    """A mount, and every mount below it."""
    attributes = struct.pack("=4Q", _ATTR_RDONLY, 0, 0, 0)
    done = _libc().syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_ulong(_AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    _checked(done, f"mount_setattr {target}")


def be_subreaper() -> None:
    """Orphans of this process's descendants become its children."""
    _prctl(_SUBREAPER, 1)


def die_with_parent(signum: int) -> None:
    """Be sent this signal when the thread that made this process is gone."""
    _prctl(_PDEATHSIG, signum)


def drop_privileges() -> None:
    """No capability now, none by any later `exec`."""
    capability = 0
    while _called(_CAPBSET_READ, capability) >= 0:
        _prctl(_CAPBSET_DROP, capability)
        capability += 1
    _prctl(_AMBIENT, _AMBIENT_CLEAR_ALL)
    _prctl(_NO_NEW_PRIVS, 1)
    header, nothing = struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    _checked(_libc().capset(header, nothing), "capset")


def filter_calls(program: bytes) -> None:
    """Every system call from now on goes by this BPF program. Needs `drop_privileges` before."""
    instructions = ctypes.create_string_buffer(program, len(program))
    whole = struct.pack("H6xQ", len(program) // 8, ctypes.addressof(instructions))
    if _libc().prctl(_SECCOMP, ctypes.c_ulong(_SECCOMP_FILTER), whole, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the system calls cannot be filtered")


def loopback_up() -> None:
    """Switch on `lo` of this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(any_socket, _GET_FLAGS, request), 16)
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def loopback_address(address: str, *, index: int) -> None:
    """Give `lo` one more IPv4 address, as its alias of this number."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = f"lo:{index}".encode()
        to = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(any_socket, _SET_ADDRESS, to)


def _prctl(option: int, value: int) -> None:
    _checked(_called(option, value), f"prctl {option}")


def _called(option: int, value: int) -> int:
    """prctl(2) takes unsigned longs."""
    result: int = _libc().prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0)))
    return result


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
