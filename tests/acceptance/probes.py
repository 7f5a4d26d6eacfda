"""Ways out of the cage, tried one after the other; prints as JSON which of them worked. Run inside."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

GIVEN = json.loads(sys.argv[1])
TCP, TCP6, UDP = GIVEN["tcp"], GIVEN["tcp6"], GIVEN["udp"]


def connect(port: int = TCP, host: str = "127.0.0.1") -> None:
    with socket.create_connection((host, port), timeout=2) as made:
        made.sendall(b"out")


def in_a_thread() -> None:
    failed: list[BaseException] = []

    def attempt() -> None:
        try:
            connect()
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def udp(port: int = UDP) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(1)
        made.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0\1", ("127.0.0.1", port))
        made.recv(1)


def unix(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(2)
        made.connect(address)


def vsock() -> None:
    with socket.socket(40, socket.SOCK_STREAM):
        pass


def type_into_the_terminal() -> None:
    import fcntl

    terminal, _ = os.openpty()
    try:
        fcntl.ioctl(terminal, 0x5412, b"x")
    except OSError as error:
        if error.errno == 1:  # the filter's answer; a pty that is nobody's terminal has another
            raise


def ring() -> None:
    """io_uring, whose operations open sockets past the filter."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 1, 0) == -1 and ctypes.get_errno() == 38:
        raise OSError(38, "no such call")


def enter_the_hosts_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            with (process / "ns/net").open("rb") as handle:
                same = os.stat("/proc/self/ns/net").st_ino == os.fstat(handle.fileno()).st_ino
                if not same and libc.setns(handle.fileno(), 0x40000000) == 0:
                    return
        except OSError:
            continue
    raise OSError("no process's network can be entered")


def leave_by_namespaces_of_its_own() -> None:
    """More rights inside namespaces of one's own open no way into the host's."""
    subprocess.run(["unshare", "-Urn", "--", sys.executable, "-c", CONNECT], check=True, capture_output=True)


def kernel_settings() -> None:
    if os.geteuid():
        raise OSError("only root's")
    with open("/proc/sys/kernel/core_pattern", "r+", encoding="ascii") as setting:
        setting.write(setting.read())


def read_the_environment_of_clearance() -> None:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"AWS_CANARY=" in (process / "environ").read_bytes():
                return
        except OSError:
            continue
    raise OSError("no process has it")


def become_somebody_else() -> None:
    subprocess.run([sys.executable, "-c", "import os; os.setuid(1)"], check=True, capture_output=True)


def read_the_store() -> None:
    assert list(Path(GIVEN["store"]).iterdir())


def take_the_wall_down() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(GIVEN["store"].encode(), 2) != 0:
        raise OSError(ctypes.get_errno(), "umount")
    assert list(Path(GIVEN["store"]).iterdir())


def write_the_rules() -> None:
    with open(GIVEN["rules"], "a", encoding="utf-8") as rules:
        rules.write("\n")


def curl(*options: str) -> None:
    command = ["curl", "-sS", "-m", "2", *options]
    subprocess.run(command, check=True, capture_output=True)


CONNECT = f"import socket; socket.create_connection(('127.0.0.1', {TCP}), timeout=2)"
CLEAN = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
WAYS: dict[str, Callable[[], Any]] = {
    "a raw socket": connect,
    "IPv6": lambda: connect(TCP6, "::1"),
    "a thread": in_a_thread,
    "a subprocess": lambda: subprocess.run([sys.executable, "-c", CONNECT], check=True, capture_output=True),
    "a subprocess without our environment": lambda: subprocess.run(
        [sys.executable, "-c", CONNECT], check=True, capture_output=True, env=CLEAN
    ),
    "curl past the proxy": lambda: curl("--noproxy", "*", f"http://127.0.0.1:{TCP}/"),
    "DNS over UDP": udp,
    "a unix socket by path": lambda: unix(GIVEN["unix"]),
    "an abstract unix socket": lambda: unix("\0" + GIVEN["abstract"]),
    "vsock": vsock,
    "typing into the terminal": type_into_the_terminal,
    "io_uring": ring,
    "the host's network by a process": enter_the_hosts_network,
    "namespaces of its own": leave_by_namespaces_of_its_own,
    "the kernel's settings": kernel_settings,
    "the environment of Clearance": read_the_environment_of_clearance,
    "another user": become_somebody_else,
    "the store": read_the_store,
    "taking a wall down": take_the_wall_down,
    "the rules": write_the_rules,
}


def worked(way: Callable[[], Any]) -> str:
    """Empty when it did not."""
    try:
        way()
    except (OSError, subprocess.SubprocessError, AssertionError):
        return ""
    return "worked"


if __name__ == "__main__":
    sys.stdout.write(json.dumps([name for name, way in WAYS.items() if worked(way)]))
