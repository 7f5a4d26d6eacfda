"""`clearance runs` and `clearance trace`, on a store with one eventful run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from clearance import Client
from tests.cli.conftest import Invoke

Answer = Callable[..., Any]


def test_runs_are_a_table_and_json(run: Invoke, answer: Answer, story: str) -> None:
    lines = run("runs").stdout.splitlines()
    assert lines[0].split()[:2] == ["run", "agent"]
    assert lines[1].startswith(f"{story}  payer")
    assert lines[1].endswith("pay the March bill")
    [told] = answer("runs")["runs"]
    assert told["run_id"] == story
    assert (told["status"], told["refused"]) == ("ended", 1)
    assert set(told) >= {"run_id", "agent", "goal", "status", "started_at", "last_at"}
    assert set(told) >= {"records", "actions", "refused", "alerts"}


def test_runs_filters_by_agent_and_limits(run: Invoke, answer: Answer, story: str) -> None:
    run("check", "read", "--agent", "other")
    assert [one["agent"] for one in answer("runs")["runs"]] == ["other", "payer"]
    assert [one["agent"] for one in answer("runs", "--agent", "payer")["runs"]] == ["payer"]
    assert len(answer("runs", "--limit", "1")["runs"]) == 1
    assert run("runs", "--agent", "nobody").stdout == "No runs.\n"


def test_a_goal_is_cut_to_the_width(run: Invoke, home: Path) -> None:
    with Client(home / ".clearance") as client, client.run("long " * 100):
        pass
    assert all(len(line) <= 130 for line in run("runs").stdout.splitlines())


@pytest.mark.parametrize("spelling", ["last", "whole", "beginning", "show"])
def test_a_run_is_found_by_last_by_its_id_and_by_its_beginning(
    spelling: str, run: Invoke, story: str
) -> None:
    given = {"last": ["last"], "whole": [story], "beginning": [story[:12]], "show": ["show", story]}[spelling]
    result = run("trace", *given)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{story}  payer")


def test_the_tree_tells_the_whole_story(run: Invoke, story: str) -> None:
    told = run("trace", "last", "--full").stdout
    for part in (
        "goal  pay the March bill",
        "✓ allowed  model_call",
        "✓ allowed  read_file  read  file:/srv/bill.txt",
        "· note",
        "✗ FAILED   send_email  send",
        "! alert    mass_email",
        "TimeoutError: the mail server did not answer",
        "✗ REFUSED  delete_account  delete",
        "because    production_deletes",
        "■ run ended: succeeded",
    ):
        assert part in told, part
    assert "\x1b" not in told
    assert "\r" not in told
    assert "\u202e" not in told


def test_several_runs_with_one_beginning_are_listed(run: Invoke, story: str) -> None:
    run("check", "read")
    result = run("trace", "run_")
    assert result.exit_code == 1
    assert "Several runs begin with 'run_'" in result.stderr
    assert story in result.stderr


def test_a_run_that_is_not_there_is_a_clear_error(run: Invoke, story: str) -> None:
    result = run("trace", "run_nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("error [not_found]: No run's id begins with 'run_nothing'")


def test_a_trace_in_json_holds_the_records(answer: Answer, story: str) -> None:
    records = answer("trace", "last")["records"]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert records[0]["kind"] == "run_started"
    assert records[0]["body"] == {"goal": "pay the March bill"}


def test_a_sound_run_verifies(run: Invoke, answer: Answer, story: str) -> None:
    assert "verified: " in run("trace", "last", "--verify").stdout
    assert answer("trace", "last", "--verify")["problems"] == []


def test_a_changed_record_is_noticed_by_trace_and_by_store(
    run: Invoke, answer: Answer, story: str, home: Path
) -> None:
    [segment] = (home / ".clearance/journal").glob("????-??-??.db")
    with closing(sqlite3.connect(segment)) as connection:
        connection.execute("UPDATE records SET agent = 'somebody' WHERE seq = 3")
        connection.commit()
    result = run("trace", story, "--verify")
    assert result.exit_code == 1
    assert "was changed after it was written" in result.stdout
    assert answer("trace", story, "--verify", code=1)["problems"]
    assert run("store", "verify").exit_code == 1
    assert answer("store", "verify", code=1)["problems"]


@pytest.mark.parametrize(
    ("filters", "tools"),
    [
        (["--tool", "read_file", "--kind", "intent"], ["read_file"]),
        (["--effect", "deny"], ["delete_account"]),
        (["--status", "failed"], ["send_email"]),
        (["--operation", "delete"], ["delete_account"]),
        (["bill.txt"], ["read_file"]),
        (["--agent", "nobody"], []),
        (["--until", "2h"], []),
        (["--since", "2h", "--kind", "refusal", "--limit", "1"], ["delete_account"]),
    ],
)
def test_records_are_found(filters: list[str], tools: list[str], answer: Answer, story: str) -> None:
    assert [record["tool"] for record in answer("trace", "search", *filters)["records"]] == tools


def test_found_records_are_a_table(run: Invoke, story: str) -> None:
    lines = run("trace", "search", "--effect", "deny").stdout.splitlines()
    assert len(lines) == 2
    assert "DENY" in lines[1]
    assert run("trace", "search", "no such words").stdout == "No records match.\n"


def test_a_time_that_is_none_is_an_error_of_usage(run: Invoke, story: str) -> None:
    result = run("trace", "search", "--since", "yesterday")
    assert result.exit_code == 2
    assert "is no time" in result.stderr
