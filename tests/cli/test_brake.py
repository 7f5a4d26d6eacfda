"""`clearance pause|quarantine|resume|brake|break-glass|end-glass`, on the store and on a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clearance import Client
from tests.cli.conftest import Invoke
from tests.conftest import Server, make_server

pytestmark = pytest.mark.servers

Answer = Callable[..., Any]


@pytest.fixture
def store(home: Path) -> Path:
    """A store, here, that nobody has open."""
    Client(home / ".clearance", agent="bot").close()
    return home / ".clearance"


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    made = make_server(home / "served")
    made.start()
    yield made
    made.stop()


def test_a_pause_says_whom_it_stopped_and_how_to_resume(run: Invoke, store: Path) -> None:
    result = run("pause", "agent", "bot", "--reason", "odd")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "PAUSED  agent bot, until resumed",
        "Let it go on with: clearance resume agent bot",
    ]
    with Client(store, agent="bot") as client:
        assert client.check("read", "sandbox.x").reason_code == "paused"
        result = run("resume", "agent", "bot")
        assert result.stdout.splitlines() == ["RESUMED  agent bot"]
        assert client.check("read", "sandbox.x").allowed


def test_everything_is_stopped_by_one_line_and_cannot_be_misread(run: Invoke, store: Path) -> None:
    result = run("quarantine", "all", "--reason", "incident 42", "--minutes", "30")
    assert "QUARANTINED  EVERYTHING, until 20" in result.stdout
    run("pause", "tool", "sendEmail", "--reason", "odd")
    listed = run("brake").stdout
    assert "EVERYTHING" in listed
    assert "tool send_email" in listed
    assert "incident 42" in listed
    result = run("resume", "all")
    assert "Still stopped:" in result.stdout
    assert "tool send_email" in result.stdout


@pytest.mark.parametrize(
    "line",
    [
        ("pause", "all", "bot", "--reason", "odd"),
        ("pause", "agent", "--reason", "odd"),
        ("pause", "bot", "--reason", "odd"),
        ("pause", "agent", "bot"),
        ("pause", "agent", "bot", "--reason", "odd", "--minutes", "0"),
        ("break-glass", "bot", "--reason", "the shop is down"),
        ("break-glass", "bot", "--tool", "x", "--reason", "the shop is down", "--minutes", "241"),
    ],
)
def test_a_line_that_could_be_misread_stops_nothing(run: Invoke, store: Path, line: tuple[str, ...]) -> None:
    assert run(*line).exit_code == 2
    assert run("brake").stdout == "Nothing is stopped.\n"


def test_in_json_it_is_what_was_set(answer: Answer, store: Path) -> None:
    stop = answer("pause", "team", "red", "--reason", "odd", "--minutes", "5")
    assert (stop["kind"], stop["name"], stop["level"]) == ("team", "red", "paused")
    assert stop["by"].startswith("local:")
    assert [one["name"] for one in answer("brake")["stops"]] == ["red"]
    assert answer("resume", "team", "red")["lifted"]["name"] == "red"


def test_resuming_what_is_not_stopped_fails(run: Invoke, store: Path) -> None:
    result = run("resume", "agent", "bot")
    assert result.exit_code == 1
    assert "clearance brake" in result.stderr


def test_a_quarantine_here_makes_open_holds_void(run: Invoke, answer: Answer, store: Path) -> None:
    with Client(store, agent="bot") as client:
        client.policies.create({"name": "ask", "rule": "require_approval", "condition": {"tool": "pay"}})
        held = client.check("pay", arguments={"amount": 3})
        assert held.hold_id
        assert run("quarantine", "agent", "bot", "--reason", "its key leaked").exit_code == 0
        assert run("resume", "agent", "bot").exit_code == 0
        again = client.check("pay", arguments={"amount": 3}, run_id=held.run_id, hold_id=held.hold_id)
        assert again.reason_code != "approval_required"
        assert again.blocked


def test_with_a_journal_that_cannot_be_opened_a_stop_holds_all_the_same(run: Invoke, store: Path) -> None:
    for part in (store / "journal").glob("*.db"):
        part.write_bytes(b"this is no database, and never was one" * 100)
    result = run("pause", "all", "--reason", "odd")
    assert result.exit_code == 0
    assert "could not record" in result.stderr
    assert "EVERYTHING" in run("brake").stdout


def test_glass_is_broken_and_ended(run: Invoke, answer: Answer, store: Path) -> None:
    result = run("break-glass", "bot", "--tool", "restart_*", "--reason", "the shop is down")
    assert result.stdout.startswith("GLASS BROKEN  agent bot, tools restart_*, until 20")
    [glass] = answer("brake")["glasses"]
    assert glass["glass_id"] in result.stdout
    assert run("end-glass", glass["glass_id"]).stdout.startswith("ENDED")
    assert answer("brake")["glasses"] == []
    assert run("break-glass", "bot", "--tool", "x", "--reason", "short").exit_code == 1


def test_policies_that_do_not_compile_keep_nobody_from_stopping(run: Invoke, home: Path, store: Path) -> None:
    (home / "broken.yaml").write_text("policies:\n- rule: blok\n")
    (home / "clearance.yaml").write_text("policies: [broken.yaml]\n")
    assert run("runs").exit_code != 0
    assert run("pause", "all", "--reason", "odd").exit_code == 0


def test_it_works_on_a_server_with_an_operators_token(answer: Answer, run: Invoke, server: Server) -> None:
    there = ("--url", server.url, "--api-key", server.admin_key)
    assert answer("pause", "agent", "billing", "--reason", "odd", *there)["by"] == "service:ops"
    with server.http() as http:
        told = http.post("/v1/actions", json={"action": "read", "resource": "sandbox.x"}).json()
    assert told["reasons"][0]["code"] == "paused"
    assert [stop["name"] for stop in answer("brake", *there)["stops"]] == ["billing"]
    assert run("resume", "agent", "billing", *there).exit_code == 0
    glass = answer("break-glass", "billing", "--tool", "x", "--reason", "the shop is down", *there)
    assert run("end-glass", glass["glass_id"], *there).exit_code == 0
    refused = run("pause", "all", "--reason", "odd", "--url", server.url, "--api-key", server.agent_key)
    assert refused.exit_code != 0
