"""`clearance audit`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clearance.cli.person_here import local_person
from tests.cli.conftest import Invoke

Answer = Callable[..., Any]


def test_what_was_done_here_is_listed_under_the_local_user(run: Invoke, answer: Answer, home: Path) -> None:
    run("agent", "create", "billing")
    (home / "p.yaml").write_text("{name: p, rule: block, condition: {tool: x}}")
    run("policy", "add", "p.yaml")
    acts = answer("audit")["acts"]
    assert [one["act"] for one in acts] == ["policy.create", "agent_key.issue", "agent.register"]
    assert {one["by"] for one in acts} == {local_person().name}
    assert local_person().name.startswith("local:")
    assert "agent.register" in run("audit").stdout


def test_acts_are_found_by_who_what_and_when(run: Invoke, answer: Answer) -> None:
    run("agent", "create", "billing")
    assert [one["target"] for one in answer("audit", "--act", "agent.register")["acts"]] == ["billing"]
    assert answer("audit", "--by", "person:nobody")["acts"] == []
    assert answer("audit", "--since", "1h", "--limit", "1")["acts"][0]["act"] == "agent_key.issue"
    assert run("audit", "--by", "person:nobody").stdout == "No acts.\n"


def test_no_secret_of_a_key_is_in_the_record(run: Invoke) -> None:
    secret = run("agent", "create", "billing").stdout.strip().split("_", 2)[2]
    assert secret not in run("audit", "--json").stdout
