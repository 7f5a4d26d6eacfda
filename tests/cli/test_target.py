"""The same commands on a server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearance import Client
from tests.cli.conftest import Invoke
from tests.conftest import Server

pytestmark = pytest.mark.servers  # takes its time

Answer = Callable[..., Any]


@pytest.fixture
def at_server(server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("CLEARANCE_URL", server.url)
    monkeypatch.setenv("CLEARANCE_API_KEY", server.agent_key)
    return server


def test_an_action_is_checked_by_the_server_as_the_keys_own_agent(at_server: Server, answer: Answer) -> None:
    told = answer("check", "delete", "--resource", "production.users", code=1)
    assert told["effect"] == "deny"
    [newest] = answer("runs", "--limit", "1")["runs"]
    assert (newest["run_id"], newest["agent"], newest["status"]) == (told["run_id"], "billing", "ended")


def test_a_run_is_read_back_proved_and_searched(at_server: Server, run: Invoke, answer: Answer) -> None:
    with Client(url=at_server.url, api_key=at_server.agent_key) as client, client.run("look around") as task:
        task.call("read_file", lambda **_: "text", {"path": "/srv/a"})
    shown = run("trace", "last", "--verify")
    assert "goal  look around" in shown.stdout
    assert "verified: " in shown.stdout
    assert run("trace", task.run_id[:-6]).stdout.startswith(task.run_id)
    assert answer("trace", "last", "--verify")["problems"] == []
    found = answer(
        "trace", "search", "--tool", "read_file", "--kind", "intent", "--since", "1h", "--limit", "1"
    )
    assert [record["run_id"] for record in found["records"]] == [task.run_id]


def test_a_run_that_the_server_does_not_know_is_a_clear_error(at_server: Server, run: Invoke) -> None:
    result = run("trace", "run_nothing")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error [not_found]")
    assert run("trace", "../policies?x=1").exit_code == 1


def test_options_name_another_server_and_another_key(at_server: Server, run: Invoke) -> None:
    assert run("runs", "--url", "http://127.0.0.1:1").exit_code == 3
    refused = run("runs", "--api-key", "clr_x_y")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error [unauthenticated]")
    assert json.loads(run("runs", "--json", "--api-key", at_server.admin_key).stdout)["runs"] is not None


def test_a_port_that_is_taken_is_no_success(home: Path, server: Server) -> None:
    command = [sys.executable, "-m", "clearance", "serve", "--port", str(server.port)]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
