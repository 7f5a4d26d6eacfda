"""A program under supervision: its exit code, its signals, what it leaves behind, walls that fail."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from clearance.cage import Isolation, Listen, NotCagedError, Plan, Walls, hold
from clearance.cage.calls import program

pytestmark = pytest.mark.servers  # takes its time

ENVIRONMENT = {"PATH": os.environ["PATH"]}
NOWHERE = Walls(listens=(Listen(address="2001:db8::1", port=8700, host="127.0.0.1", to_port=1),))


def ran(*command: str, isolation: Isolation = Isolation.OFF, walls: Walls | None = None) -> int:
    plan = Plan(command=command, environment=ENVIRONMENT, walls=walls or Walls())
    return hold(plan, isolation).run()


@pytest.mark.parametrize("isolation", [Isolation.OFF, Isolation.AUTO])
@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_the_exit_code_is_the_programs(script: str, code: int, isolation: Isolation) -> None:
    assert ran("sh", "-c", script, isolation=isolation) == code


def test_a_program_that_is_not_there_is_127_and_one_that_cannot_run_126(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert ran("no-such-program") == 127
    assert ran("/etc/hostname") == 126
    said = capfd.readouterr().err
    assert said.startswith("clearance run: no-such-program: there is no such program\n")


@pytest.mark.parametrize("isolation", [Isolation.OFF, Isolation.AUTO])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_goes_to_the_program(signum: signal.Signals, isolation: Isolation, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 41' {signum.name[3:]}; touch {ready}; while :; do sleep 0.05; done"

    def send() -> None:
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signum)

    sender = threading.Thread(target=send)
    sender.start()
    assert ran("sh", "-c", script, isolation=isolation) == 41
    sender.join()
    assert signal.getsignal(signum) is signal.SIG_DFL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
@pytest.mark.parametrize("isolation", [Isolation.OFF, Isolation.AUTO])
def test_what_it_leaves_behind_ends_with_it(isolation: Isolation, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    left = f"setsid sh -c 'while :; do date +%N > {alive}; sleep 0.02; done'"
    script = f"{left} & while [ ! -s {alive} ]; do :; done"
    assert ran("sh", "-c", script, isolation=isolation) == 0
    assert stands_still(alive)


@pytest.mark.parametrize("isolation", ["off", "auto"])
def test_it_ends_when_its_parent_is_killed(isolation: str, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    script = f"while :; do date +%N > {alive}; sleep 0.02; done"
    code = (
        "from clearance.cage import *\n"
        f"plan = Plan(command=('sh', '-c', {script!r}), environment={ENVIRONMENT!r}, walls=Walls())\n"
        f"hold(plan, Isolation({isolation!r})).run()"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        while not alive.exists():
            time.sleep(0.01)
        parent.kill()
    assert stands_still(alive)


@pytest.mark.parametrize("isolation", ["off", "auto"])
def test_on_a_terminal_an_interrupt_reaches_the_program_once(isolation: str) -> None:
    waits = "for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done"
    script = f"n=0; trap 'echo told; n=$((n+1))' INT; echo ready; {waits}; exit $n"
    code = (
        "import sys\n"
        "from clearance.cage import *\n"
        f"plan = Plan(command=('sh', '-c', {script!r}), environment={ENVIRONMENT!r}, walls=Walls())\n"
        f"sys.exit(hold(plan, Isolation({isolation!r})).run())"
    )
    parent, terminal = pty.fork()
    if not parent:
        os.execv(sys.executable, [sys.executable, "-c", code])
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    with suppress(OSError):  # the terminal's end
        while part := os.read(terminal, 1024):
            said += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1]) == 1
    assert said.count(b"told") == 1


def stands_still(file: Path) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        before = file.read_text(encoding="ascii")
        time.sleep(0.3)
        if file.read_text(encoding="ascii") == before:
            return True
    return False


def test_walls_that_cannot_be_built_are_done_without_only_where_that_was_allowed() -> None:
    plan = Plan(command=("true",), environment=ENVIRONMENT, walls=NOWHERE)
    with pytest.raises(NotCagedError):
        hold(plan, Isolation.REQUIRE)
    held = hold(plan, Isolation.AUTO)
    assert held.why_not
    assert held.run() == 0


def test_an_environment_and_arguments_of_any_size_and_text_arrive(tmp_path: Path) -> None:
    out = tmp_path / "out"
    big = "ä" * 60_000
    plan = Plan(
        command=("sh", "-c", f'printf %s "$BIG$1" > {out}', "sh", "q'\n"),
        environment={**ENVIRONMENT, "BIG": big},
        walls=Walls(),
    )
    assert hold(plan, Isolation.OFF).run() == 0
    assert out.read_text(encoding="utf-8") == big + "q'\n"


def test_nothing_that_was_open_here_is_open_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        os.set_inheritable(listening.fileno(), True)
        assert ran("sh", "-c", 'test "$(ls /proc/self/fd | wc -l)" -le 4') == 0


def test_a_machine_whose_system_calls_are_not_known_has_no_filter() -> None:
    assert len(program("x86_64")) == len(program("aarch64")) > 0
    with pytest.raises(OSError, match="not known"):
        program("pdp11")
