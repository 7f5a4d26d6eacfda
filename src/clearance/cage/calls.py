"""The system calls that a network namespace alone does not hold, as a seccomp program. Pure.

Refused: sockets of families that are in no network namespace (vsock reaches a virtual machine's host),
io_uring (its operations pass by this filter), and putting keystrokes into the terminal.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

from msgspec import Struct

# linux/bpf_common.h: load a word, jump if equal, jump if at least, return
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
# linux/seccomp.h
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data
_X32 = 0x40000000  # x86-64: the same calls once more, with other numbers
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX AF_INET AF_INET6 AF_NETLINK
_KEYSTROKES = (0x5412, 0x541C)  # TIOCSTI TIOCLINUX
_IO_URING_SETUP = 425


class _Machine(Struct, frozen=True):
    arch: int  # linux/audit.h
    socket: int
    ioctl: int


_MACHINES = {"x86_64": _Machine(0xC000003E, 41, 16), "aarch64": _Machine(0xC00000B7, 198, 29)}


def program(machine: str) -> bytes:
    """Raises OSError for a machine whose calls are not known here."""
    known = _MACHINES.get(machine)
    if known is None:
        raise OSError(errno.ENOSYS, f"the system calls of {machine} are not known")
    return b"".join(
        (
            _one(_LOAD, _ARCH_AT),
            _one(_EQUAL, known.arch, then=1),
            _refuse(errno.ENOSYS),  # a 32-bit program: its calls have other numbers
            _one(_LOAD, _NUMBER_AT),
            _one(_AT_LEAST, _X32, otherwise=1),
            _refuse(errno.ENOSYS),
            _one(_EQUAL, _IO_URING_SETUP, otherwise=1),
            _refuse(errno.ENOSYS),
            _when(known.socket, 0, _FAMILIES, _allow(), _refuse(errno.EAFNOSUPPORT)),
            _when(known.ioctl, 1, _KEYSTROKES, _refuse(errno.EPERM), _allow()),
            _allow(),
        )
    )


def _when(
    number: int, argument: int, values: Sequence[int], one_of_them: bytes, none_of_them: bytes
) -> bytes:
    """What follows for this call. Only the low word of the argument counts: the kernel takes an int."""
    compared = [_one(_EQUAL, value, then=len(values) - index) for index, value in enumerate(values)]
    body = b"".join((_one(_LOAD, _ARGUMENTS_AT + 8 * argument), *compared, none_of_them, one_of_them))
    return _one(_LOAD, _NUMBER_AT) + _one(_EQUAL, number, otherwise=len(body) // 8) + body


def _one(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)


def _allow() -> bytes:
    return _one(_RETURN, _ALLOW)


def _refuse(number: int) -> bytes:
    return _one(_RETURN, _ERRNO | number)
