"""`clearance check`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke

Answer = Callable[..., Any]


def test_what_may_run_exits_0_and_says_why(run: Invoke) -> None:
    result = run("check", "read", "--resource", "file:/srv/a")
    assert result.exit_code == 0
    assert result.stdout.startswith("ALLOW  read\n  because    No policy applies")


def test_what_may_not_run_exits_1_and_names_the_policy(run: Invoke) -> None:
    result = run("check", "delete", "--resource", "production.users")
    assert result.exit_code == 1
    assert result.stdout.startswith("DENY  delete\n")
    assert "production_deletes" in result.stdout


def test_obligations_are_told(run: Invoke) -> None:
    result = run("check", "send_email", "--payload", '{"recipient_count": 60}')
    assert result.exit_code == 0
    assert "! alert    mass_email" in result.stdout
    assert "owed       tell somebody" in result.stdout


def test_the_answer_in_json_is_that_of_the_http_door(answer: Answer) -> None:
    told = answer("check", "update", "--payload", '{"record_count": 40}', "--agent", "billing", code=1)
    assert told["effect"] == "deny"
    assert told["reasons"][0]["policy"] == "bulk_changes"
    assert set(told) >= {"action_id", "run_id", "effect", "reasons", "obligations", "policy_version"}


@pytest.mark.parametrize("how", ["text", "file", "stdin"])
def test_a_payload_comes_from_the_line_a_file_or_stdin(how: str, run: Invoke, home: Path) -> None:
    payload = json.dumps({"record_count": 40})
    (home / "payload.json").write_text(payload)
    given = {"text": payload, "file": "@payload.json", "stdin": "-"}[how]
    assert run("check", "update", "--payload", given, stdin=payload).exit_code == 1


@pytest.mark.parametrize("given", ["{", "[]", "3", "@nowhere.json", "[" * 100_000])
def test_a_payload_that_is_none_is_an_error_of_usage(given: str, run: Invoke, home: Path) -> None:
    result = run("check", "update", "--payload", given)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert list(home.iterdir()) == []


def test_facts_and_operation_and_environment_are_judged(run: Invoke) -> None:
    declared = (
        "check",
        "purge",
        "--operation",
        "delete",
        "--resource",
        "users",
        "--facts",
        '{"record_count": 26}',
    )
    assert run(*declared, "--environment", "sandbox").exit_code == 1
    assert run(*declared[:-1], '{"record_count": 2}', "--environment", "sandbox").exit_code == 0


def test_an_action_without_a_name_is_a_clear_error(run: Invoke) -> None:
    result = run("check", "")
    assert result.exit_code == 1
    assert result.stderr.startswith("error [")


def test_a_check_leaves_nothing_open_behind(run: Invoke, answer: Answer) -> None:
    run("check", "read")
    run("check", "delete", "--resource", "production.users")
    assert {one["status"] for one in answer("runs")["runs"]} == {"ended"}
    assert answer("store", "status")["in_flight"] == 0
    assert answer("trace", "search", "--kind", "outcome")["records"][0]["status"] == "not_reported"


def test_a_store_in_memory_is_asked_and_nothing_is_written(run: Invoke, home: Path) -> None:
    assert run("--store", "memory", "check", "delete", "--resource", "production.users").exit_code == 1
    assert list(home.iterdir()) == []
