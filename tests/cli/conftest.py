"""A command line in a directory of its own, and a store with one eventful run in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest

from clearance import Client, PolicyViolationError
from clearance.cli.app import app

Invoke = Callable[..., click.testing.Result]
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\u202eevil"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; nothing is configured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")  # of whatever terminal the tests are run from
    for name in [name for name in os.environ if name.startswith("CLEARANCE_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def run(home: Path) -> Invoke:
    """`run("runs", "--json")`: stdout, stderr and exit code of one command."""

    def invoke(*arguments: str, stdin: str | None = None) -> click.testing.Result:
        result = click.testing.CliRunner().invoke(app, arguments, input=stdin, prog_name="clearance")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def answer(run: Invoke) -> Callable[..., Any]:
    """The decoded answer of one command with --json, which must exit with `code`."""

    def invoke(*arguments: str, code: int = 0) -> Any:
        result = run(*arguments, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    return invoke


@pytest.fixture(scope="session")
def told_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store, written once, with a model call, a read, a failure, an alert, a refusal; the run's id."""

    def fail(**_: object) -> None:
        raise TimeoutError("the mail server did not answer")

    store = tmp_path_factory.mktemp("told") / "store"
    with Client(store) as client, client.run("pay the March bill", agent="payer") as task:
        task.model_call("some-model", lambda **_: {"say": "read it"}, [{"role": "user", "content": "hi"}])
        task.call("read_file", lambda **_: f"pay {ESCAPES}", {"path": "/srv/bill.txt"})
        task.note(f"the bill says {ESCAPES}")
        with pytest.raises(TimeoutError):
            task.call("send_email", fail, {"to": [f"{n}@b.example" for n in range(60)], "body": "x" * 500})
        with pytest.raises(PolicyViolationError):
            task.call("delete_account", lambda **_: None, {}, resource="production.accounts")
    return store, task.run_id


@pytest.fixture
def story(home: Path, told_store: tuple[Path, str]) -> str:
    """The id of that run, in a `.clearance` of this test's own."""
    store, run_id = told_store
    shutil.copytree(store, home / ".clearance")
    return run_id
