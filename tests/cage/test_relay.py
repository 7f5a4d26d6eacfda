"""Connections carried from one place to another: whole, in both directions, ended on both sides."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from clearance.cage.plan import Listen
from clearance.cage.relay import Relay

MANY = b"x" * 5_000_000


@pytest.fixture
def far() -> Iterator[socket.socket]:
    """Where connections are carried to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        yield listening


@pytest.fixture
def near(far: socket.socket) -> Iterator[tuple[str, int]]:
    """Where they are made."""
    listening = socket.create_server(("127.0.0.1", 0))
    address: tuple[str, int] = listening.getsockname()
    to = Listen(address="", port=0, host="127.0.0.1", to_port=far.getsockname()[1])
    relay = Relay([(to, listening)])
    relay.start()
    yield address
    relay.close()


def read_all(one: socket.socket) -> bytes:
    parts = bytearray()
    while part := one.recv(65_536):
        parts += part
    return bytes(parts)


def test_each_direction_arrives_whole_and_ends_by_itself(far: socket.socket, near: tuple[str, int]) -> None:
    def answer() -> None:
        came, _ = far.accept()
        with came:
            came.sendall(read_all(came)[::-1] + b"end")

    threading.Thread(target=answer, daemon=True).start()
    with socket.create_connection(near, timeout=20) as one:
        one.sendall(MANY)
        one.shutdown(socket.SHUT_WR)
        assert read_all(one) == MANY + b"end"


def test_a_far_end_that_is_not_there_ends_the_connection(far: socket.socket, near: tuple[str, int]) -> None:
    far.close()
    with socket.create_connection(near, timeout=10) as one:
        assert one.recv(1) == b""


def test_a_near_end_that_breaks_breaks_the_far_one(far: socket.socket, near: tuple[str, int]) -> None:
    one = socket.create_connection(near, timeout=10)
    one.sendall(b"a")
    came, _ = far.accept()
    came.settimeout(10)
    assert came.recv(1) == b"a"
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
    one.close()
    # A reset that came before the first byte was sent is told as a broken pipe.
    with came, pytest.raises((ConnectionResetError, BrokenPipeError)):
        came.sendall(MANY)
        came.recv(1)


def test_closing_breaks_what_is_under_way_and_says_nothing(
    far: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    to = Listen(address="", port=0, host="127.0.0.1", to_port=far.getsockname()[1])
    relay = Relay([(to, listening)])
    relay.start()
    with socket.create_connection(listening.getsockname(), timeout=10) as one:
        one.sendall(b"a")
        came, _ = far.accept()
        with came:
            assert came.recv(1) == b"a"
            relay.close()
            came.settimeout(10)
            assert came.recv(1) == b""
    assert capfd.readouterr().err == ""
