"""The command line as a whole: help, documentation, start-up, errors."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import clearance
from clearance.cli.app import app
from clearance.cli.failures import exit_code
from clearance.errors import (
    ClearanceError,
    ConfigurationError,
    ForbiddenError,
    IntegrityError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnreachableError,
)
from tests.cli.conftest import Invoke

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"demo"}  # its package is an extra


def commands(
    group: click.Group = app, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        if not path and name in ELSEWHERE:
            continue
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = list(commands())
NAMES = [" ".join(path) for path, _ in COMMANDS]


def start(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "clearance", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background job ignores interrupts, and so would every child of these tests.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("name", ["", *NAMES])
def test_the_help_of_every_command_has_an_example(name: str, run: Invoke) -> None:
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    assert re.search(r"Examples?:\n +\S", result.stdout)
    assert re.search(rf"^ +(export .*)?clearance {name.split()[0] if name else ''}", result.stdout, re.M)


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=NAMES)
def test_every_command_and_option_is_in_the_documentation(
    path: tuple[str, ...], command: click.Command
) -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert f"clearance {' '.join(path)}" in page
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for name in parameter.opts:
                assert f"`{name}" in page, f"docs/cli.md does not explain {name} of {' '.join(path)}"


def test_every_exit_code_is_in_the_documentation(run: Invoke) -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    for code in re.findall(r"^ +(\d+) ", run("--help").stdout, re.M):
        assert f"| {code} |" in page


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=NAMES)
def test_what_lists_or_answers_does_so_in_json_too(path: tuple[str, ...], command: click.Command) -> None:
    speaks_for_itself = (("serve",), ("run",), ("policy", "schema"), ("mcp", "wrap"))
    if isinstance(command, click.Group) or path in speaks_for_itself:
        return
    assert any("--json" in parameter.opts for parameter in command.params)


def test_the_list_of_commands_costs_no_heavy_import() -> None:
    heavy = [
        "httpx",
        "uvicorn",
        "starlette",
        "agentdojo",
        "cel",
        "msgspec",
        "yaml",
        "sqlite3",
        "asyncio",
        "re2",
    ]
    code = (
        "import sys\n"
        "from clearance.cli.app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_the_package_lists_the_names_that_it_types() -> None:
    stub = (ROOT / "src/clearance/__init__.pyi").read_text(encoding="utf-8")
    listed = re.findall(r'^ {4}"(\w+)",$', stub, re.M)
    assert sorted(listed) == sorted(clearance.__all__)
    for name in clearance.__all__:
        assert getattr(clearance, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = clearance.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFoundError("x"), 1),
        (ForbiddenError("x"), 1),
        (ConfigurationError([]), 1),
        (IntegrityError("x"), 1),
        (StoreError("x"), 3),
        (UnreachableError("x"), 3),
        (ProtocolError("x"), 3),
    ],
)
def test_the_exit_code_tells_a_no_from_no_answer(error: ClearanceError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"],
        ["trace", "last"],
        ["trace", "search"],
        ["policy", "list"],
        ["policy", "versions"],
        ["policy", "delete", "x"],
        ["policy", "explain", "--action", "read"],
        ["agent", "list"],
        ["agent", "keys"],
        ["agent", "revoke", "x"],
        ["store", "verify"],
        ["store", "status"],
        ["store", "prune", "--keep-days", "1"],
    ],
    ids=" ".join,
)
def test_reading_where_there_is_no_store_is_an_error_and_makes_none(
    arguments: list[str], run: Invoke, home: Path
) -> None:
    result = run(*arguments)
    assert result.exit_code == 3
    assert result.stderr.startswith("error [store_unavailable]: There is no store in '.clearance'")
    assert list(home.iterdir()) == []


def test_a_store_and_a_server_exclude_each_other(run: Invoke) -> None:
    result = run("--store", "here", "--url", "http://127.0.0.1:1", "runs")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr


def test_the_store_is_not_touched_where_a_server_is_configured(
    run: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARANCE_URL", "http://127.0.0.1:1")
    assert run("agent", "create", "billing").exit_code == 2
    assert run("agent", "create", "billing", "--store", "here").exit_code == 0


def test_options_may_stand_before_and_after_the_command(run: Invoke, story: str) -> None:
    before, after = run("--store", ".clearance", "runs"), run("runs", "--store", ".clearance")
    assert before.stdout == after.stdout
    assert story in before.stdout


def test_every_problem_of_a_configuration_is_told(run: Invoke, home: Path) -> None:
    (home / "clearance.yaml").write_text("port: many\nnonsense: 1\n")
    result = run("runs")
    assert result.exit_code == 1
    assert result.stderr.count("error [configuration_invalid]: ") == 2


def test_a_name_from_outside_cannot_steer_the_terminal_through_an_error(run: Invoke, story: str) -> None:
    result = run("trace", "\x1b[2Jrun")
    assert result.exit_code == 1
    assert "\x1b" not in result.output


def test_a_real_process_says_which_version_it_is() -> None:
    process = start("version")
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out.startswith(b"clearance ")


def test_a_closed_pipe_is_quiet(story: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        [sys.executable, "-m", "clearance", "trace", "last", "--full"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    _, told = process.communicate(timeout=20)
    assert told == b""


def test_an_interrupt_is_quiet_and_exits_130(home: Path) -> None:
    os.mkfifo("payload")
    process = start("check", "read", "--payload", "@payload")
    writing = opened_by_the_reader("payload")
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        # The interpreter loses one that comes while it cleans up an object, and dies of one while it ends.
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2)
    out, told = process.communicate(timeout=20)
    os.close(writing)
    assert (process.returncode, out, told) == (130, b"", b"")


def opened_by_the_reader(pipe: str) -> int:
    """A writing end of the pipe, once another process reads from it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.02)
    raise AssertionError("nobody opened the pipe")


def test_a_terminal_that_knows_no_unicode_still_gets_its_trace(story: str) -> None:
    process = start("trace", "last", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    out, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (0, b"")
    assert b"REFUSED" in out
