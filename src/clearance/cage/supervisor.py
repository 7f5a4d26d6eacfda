"""The process between `clearance run` and the program: builds the walls, starts it, passes signals on.

Started as a process of its own: what was open, running or locked in the parent is not in it. It speaks with
the parent on one socket, and nothing of the program outlives it, nor it the parent.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec

from clearance.cage import calls, kernel, walls
from clearance.cage.plan import Plan, Walls, Word

PASSED_ON = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
GO = 0  # among the numbers of signals: start the program
NOT_EXECUTABLE, NOT_FOUND = 126, 127
_LENGTH = 8
_LINUX = sys.platform == "linux"


def main(descriptor: int) -> NoReturn:
    """Never returns. Its exit code is the program's; what was killed is 128 and the signal."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _leave_signals_to_the_program()
    parent = socket.socket(fileno=descriptor)
    parent.set_inheritable(False)
    plan = msgspec.json.decode(_received(parent), type=Plan)
    if plan.walls is None:
        if _LINUX:
            kernel.be_subreaper()
        parent.sendall(msgspec.json.encode(Word(ready=True)))
        os._exit(_supervise(plan, parent))
    os._exit(_caged(plan, plan.walls, parent))


def _caged(plan: Plan, wanted: Walls, parent: socket.socket) -> int:
    """Whoever unshares stays outside the process namespace; its first child is that one's init."""
    try:
        sockets = walls.listening_unix_sockets()
        user, group = os.geteuid(), os.getegid()
        kernel.unshare()
        walls.be_only_yourself(user, group)
    except OSError as error:
        return _say_why_not(parent, error)
    init = os.fork()
    if init:
        parent.close()
        return _exit_code(os.waitpid(init, 0)[1])
    try:
        kernel.die_with_parent(signal.SIGKILL)
        listening = walls.build(wanted, sockets)
    except (OSError, ValueError) as error:
        os._exit(_say_why_not(parent, error))
    ready = msgspec.json.encode(Word(ready=True))
    socket.send_fds(parent, [ready], [one.fileno() for one in listening])
    for one in listening:
        one.close()
    os._exit(_supervise(plan, parent))


def _supervise(plan: Plan, parent: socket.socket) -> int:
    """Start the program when told to, pass signals on until it ends, end what it left behind."""
    if parent.recv(1) != bytes([GO]):
        return NOT_EXECUTABLE
    woken = _woken_by_signals()
    program = os.fork()
    if not program:
        _become(plan)
    sources = [parent.fileno(), woken]
    while (status := _reaped(program)) is None:
        ready, _, _ = select.select(sources, [], [])
        if woken in ready:
            os.read(woken, 4096)
        if parent.fileno() in ready:
            told = parent.recv(1)
            _pass_on(program, told[0] if told else signal.SIGKILL)
            if not told:
                sources.remove(parent.fileno())  # the parent is gone, and so is the program
    _end_what_is_left()
    code = _exit_code(status)
    with suppress(OSError):
        parent.sendall(msgspec.json.encode(Word(ended=code)))
    return code


def _woken_by_signals() -> int:
    """A pipe to read from after any signal."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, _nothing)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return woken


def _become(plan: Plan) -> NoReturn:
    try:
        if plan.walls is not None:
            kernel.drop_privileges()
            kernel.filter_calls(calls.program(os.uname().machine))
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvpe(plan.command[0], plan.command, plan.environment)  # noqa: S606  what it is for
    except FileNotFoundError:
        code, why = NOT_FOUND, "there is no such program"
    except OSError as error:
        code, why = NOT_EXECUTABLE, error.strerror or type(error).__name__
    os.write(2, f"clearance run: {plan.command[0]}: {why}\n".encode(errors="replace"))
    os._exit(code)


def _reaped(program: int) -> int | None:
    """Take in whatever has ended; the program's status, when it is among them."""
    found = None
    with suppress(ChildProcessError):
        while True:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                break
            if child == program:
                found = status
    return found


def _pass_on(program: int, signum: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(program, signum)


def _end_what_is_left() -> None:
    """Inside a process namespace the kernel does it when its init ends; outside, descendants come to us."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not _LINUX or os.getpid() == 1:
        return
    with suppress(OSError, ChildProcessError):
        while left := children.read_text(encoding="ascii").split():
            for child in left:
                _pass_on(int(child), signal.SIGKILL)
            os.waitpid(-1, 0)


def _leave_signals_to_the_program() -> None:
    """A handler, not SIG_IGN: `exec` puts it back to the default, and what was ignored before stays so."""
    for signum in PASSED_ON:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _nothing)


def _nothing(_: int, __: FrameType | None) -> None:
    """The program gets it too, from the terminal or from the parent."""


def _say_why_not(parent: socket.socket, error: Exception) -> int:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    parent.sendall(msgspec.json.encode(Word(why_not=why)))
    return NOT_EXECUTABLE


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _received(parent: socket.socket) -> bytes:
    with parent.makefile("rb") as stream:
        size = int.from_bytes(stream.read(_LENGTH), "big")
        return stream.read(size)


def framed(plan: Plan) -> bytes:
    """The plan as `main` reads it."""
    body = msgspec.json.encode(plan)
    return len(body).to_bytes(_LENGTH, "big") + body
