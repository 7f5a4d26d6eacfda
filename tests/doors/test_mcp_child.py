"""A child of the MCP proxy: what it sees of our environment, what we read of it, and that it ends with us."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clearance.config.mcp import McpServer
from clearance.errors import SystemUnavailableError
from clearance.gateway.mcp_proxy import child as child_module
from clearance.gateway.mcp_proxy.child import Child, Lines, environment_of

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


@dataclass
class Heard:
    """What a child told."""

    messages: list[bytes] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    async def received(self, message: bytes) -> None:
        self.messages.append(message)

    async def ended(self, why: str) -> None:
        self.why.append(why)

    async def until(self, ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not ready():  # noqa: ASYNC110  what is waited for is outside of this process
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(program: str, **settings: object) -> AsyncIterator[tuple[Child, Heard]]:
    heard = Heard()
    server = McpServer(command=(sys.executable, "-c", program), **settings)  # type: ignore[arg-type]
    child = Child("tested", server, received=heard.received, ended=heard.ended)
    await child.start()
    try:
        yield child, heard
    finally:
        await child.stop()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_each_message_is_one_line_of_either_pipe() -> None:
    async def scenario() -> None:
        async with running(ECHO) as (child, heard):
            await child.send(b'{"a":\n1}')
            await child.send('{"b":"\u2028"}'.encode())
            await heard.until(lambda: len(heard.messages) == 2)
            assert heard.messages == [b'{"a": 1}', '{"b":"\u2028"}'.encode()]

    run(scenario)


def test_a_message_of_ten_megabytes_comes_back_whole() -> None:
    async def scenario() -> None:
        async with running(ECHO) as (child, heard):
            message = b'"' + b"x" * (10 << 20) + b'"'
            await child.send(message)
            await heard.until(lambda: bool(heard.messages))
            assert heard.messages == [message]

    run(scenario)


def test_a_line_without_an_end_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "MOST_LINE_BYTES", 100_000)
    endless = "import sys\nwhile True: sys.stdout.write('x' * 65536)"

    async def scenario() -> None:
        async with running(endless) as (child, heard):
            await heard.until(lambda: bool(heard.why))
            assert "larger than 100000 bytes" in heard.why[0]
            assert not heard.messages
            with pytest.raises(SystemUnavailableError):
                await child.send(b"{}")

    run(scenario)


def test_a_crash_is_told_once_with_its_exit_code() -> None:
    async def scenario() -> None:
        async with running("raise SystemExit(7)") as (_, heard):
            await heard.until(lambda: bool(heard.why))
        assert heard.why == ["The MCP server tested ended (exit code 7)."]

    run(scenario)


def test_what_we_stop_is_told_nobody() -> None:
    async def scenario() -> None:
        async with running(ECHO) as (_, heard):
            pass
        assert heard.why == []

    run(scenario)


def test_a_command_that_does_not_exist_is_a_clear_error() -> None:
    async def scenario() -> None:
        heard = Heard()
        server = McpServer(command=("/no/such/server",))
        child = Child("absent", server, received=heard.received, ended=heard.ended)
        with pytest.raises(SystemUnavailableError, match="absent cannot be started"):
            await child.start()
        await child.stop()

    run(scenario)


def test_a_child_that_ignores_the_end_of_its_input_and_sigterm_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child_module, "_PATIENCE_SECONDS", 0.3)
    stubborn = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\ntime.sleep(60)"
    )

    async def scenario() -> None:
        async with running(stubborn) as (_, heard):
            await heard.until(lambda: bool(heard.messages))
        assert not is_alive(int(heard.messages[0]))

    run(scenario)


def test_what_the_command_started_ends_with_it() -> None:
    """As `npx` starts a shell that starts the server."""
    parent = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(['sleep', '60'], stdin=-3, stdout=-3)\n"
        "print(child.pid, flush=True)\nsys.stdin.read()"
    )

    async def scenario() -> None:
        async with running(parent) as (_, heard):
            await heard.until(lambda: bool(heard.messages))
            assert is_alive(int(heard.messages[0]))
        async with asyncio.timeout(5):
            while is_alive(int(heard.messages[0])):  # noqa: ASYNC110  another process
                await asyncio.sleep(0.01)

    run(scenario)


def test_our_own_keys_never_reach_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLEARANCE_API_KEY", "OPENAI_API_KEY", "PYTHONPATH", "LD_PRELOAD_NOT"):
        monkeypatch.setenv(name, "a-secret")
    monkeypatch.setenv("GIT_TOKEN", "for-git")
    names = "import os, json; print(json.dumps(dict(os.environ)), flush=True)"

    async def scenario() -> None:
        async with running(names, env={"TOKEN": "Bearer ${GIT_TOKEN}", "PLAIN": "yes"}) as (_, heard):
            await heard.until(lambda: bool(heard.messages))
        told = heard.messages[0]
        assert b"a-secret" not in told
        assert b'"TOKEN": "Bearer for-git"' in told
        assert b'"PLAIN": "yes"' in told

    run(scenario)


def test_a_variable_that_is_not_set_is_named_and_nothing_is_started() -> None:
    server = McpServer(command=("true",), env={"A": "${NOT_SET_HERE}"})
    with pytest.raises(SystemUnavailableError, match="NOT_SET_HERE"):
        environment_of(server, {"PATH": os.defpath})


def test_stderr_is_logged_without_secrets_and_control_characters(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clearance.mcp")
    key = "sk-ant-api03-" + "A1b2C3d4" * 6
    program = f"import sys\nprint('key {key} \\x1b[31mred', file=sys.stderr, flush=True)\n{ECHO}"

    async def scenario() -> None:
        async with running(program) as (_, heard):
            await heard.until(lambda: bool(caplog.messages))

    run(scenario)
    assert "key [redacted:secret]" in caplog.messages[0]
    assert key not in caplog.text
    assert "\x1b" not in caplog.text


def test_a_child_that_floods_stderr_neither_stands_still_nor_floods_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "clearance.mcp")
    program = "import sys\nfor i in range(20000): print('line', i, file=sys.stderr)\nprint('{}', flush=True)"

    async def scenario() -> None:
        async with running(program) as (_, heard):
            await heard.until(lambda: bool(heard.messages))

    run(scenario)
    assert 0 < len(caplog.messages) <= 101


@pytest.mark.parametrize("seed", range(20))
def test_lines_are_the_same_however_they_are_cut(seed: int) -> None:
    dice = random.Random(seed)
    lines = [bytes(dice.choices(b"abc{}\xc3\xa9", k=dice.randrange(50))) for _ in range(30)]
    stream, cut, found = b"".join(line + b"\n" for line in lines) + b"rest", Lines(), []
    while stream:
        size = dice.randrange(1, 20)
        found += cut.of(stream[:size])
        stream = stream[size:]
    assert found == lines
    assert cut.waiting == 4
