"""The parent's side: starts the supervisor, learns whether the walls stand, passes signals on, waits."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from types import FrameType

import msgspec
from msgspec.structs import replace

from clearance.cage.plan import Plan, Word
from clearance.cage.relay import Relay
from clearance.cage.supervisor import GO, PASSED_ON, framed

_MOST_SOCKETS = 16
_WORD_BYTES = 65_536
_LOST = 125  # the supervisor died without a word
_FROM_TERMINAL = frozenset({signal.SIGINT, signal.SIGQUIT})


class Isolation(StrEnum):
    """AUTO does without the walls where they cannot be built, and says so."""

    AUTO = "auto"
    REQUIRE = "require"
    OFF = "off"


class NotCagedError(Exception):
    """The walls were required, and cannot be built here. Nothing was started."""


class Held:
    """A program that is ready to start. `why_not` is empty when the walls stand."""

    def __init__(
        self, supervisor: subprocess.Popen[bytes], channel: socket.socket, relay: Relay | None, why_not: str
    ) -> None:
        self.why_not = why_not
        self._supervisor = supervisor
        self._channel = channel
        self._relay = relay

    def run(self) -> int:
        """Start it, wait for its end; its exit code. On the main thread, whose signals go to the program."""
        before = {signum: signal.getsignal(signum) for signum in PASSED_ON}
        for signum, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(signum, self._pass_on)
        try:
            if self._relay is not None:
                self._relay.start()
            self._channel.sendall(bytes([GO]))
            said = self._channel.recv(_WORD_BYTES)
            self._supervisor.wait()
        finally:
            self._close()
            for signum, handler in before.items():
                signal.signal(signum, handler)
        ended = msgspec.json.decode(said, type=Word).ended if said else None
        return _LOST if ended is None else ended

    def _close(self) -> None:
        self._channel.close()
        if self._relay is not None:
            self._relay.close()

    def _pass_on(self, signum: int, _: FrameType | None) -> None:
        if signum in _FROM_TERMINAL and _is_in_foreground():
            return  # the terminal sent it to the program as well
        with suppress(OSError):  # it has just ended
            self._channel.send(bytes([signum]))


def hold(plan: Plan, isolation: Isolation) -> Held:
    """Everything up to the start of the program. Raises NotCagedError, OSError."""
    why_not = "--isolate off"
    if isolation is not Isolation.OFF:
        supervisor, channel = _supervisor(plan)
        word, sockets = _first_word(channel)
        if word.ready and plan.walls is not None:
            relay = Relay(list(zip(plan.walls.listens, sockets, strict=True)))
            return Held(supervisor, channel, relay, "")
        why_not = word.why_not or "the supervisor died"
        channel.close()
        supervisor.wait()
        if isolation is Isolation.REQUIRE:
            raise NotCagedError(why_not)
    supervisor, channel = _supervisor(replace(plan, walls=None))
    _first_word(channel)
    return Held(supervisor, channel, None, why_not)


def _supervisor(plan: Plan) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A Python of its own: a fork of this process would hold this one's locks and threads' leavings."""
    ours, theirs = socket.socketpair()
    source = str(Path(__file__).parents[2])
    code = (
        f"import sys; sys.path[:0] = {[source, *_packages()]!r}; "
        f"from clearance.cage.supervisor import main; main({theirs.fileno()})"
    )
    with theirs:
        process = subprocess.Popen(  # noqa: S603  what it is for
            [sys.executable, "-I", "-S", "-c", code], pass_fds=[theirs.fileno()], env=plan.environment
        )
    ours.sendall(framed(plan))
    return process, ours


def _packages() -> list[str]:
    """Where msgspec is: without `site`, which would cost more than all the rest."""
    return [str(Path(msgspec.__file__).parents[1])]


def _first_word(channel: socket.socket) -> tuple[Word, list[socket.socket]]:
    said, descriptors, _, _ = socket.recv_fds(channel, _WORD_BYTES, _MOST_SOCKETS)
    sockets = [socket.socket(fileno=one) for one in descriptors]
    return msgspec.json.decode(said, type=Word) if said else Word(), sockets


def _is_in_foreground() -> bool:
    """Whether this process's group is the one that its terminal's keys go to."""
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
