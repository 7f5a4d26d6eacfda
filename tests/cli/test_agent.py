"""`clearance agent`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.identity import KeyIdentity, Standing
from clearance.adapters.store import SqliteState
from clearance.core.model import Principal
from clearance.errors import AuthenticationError
from clearance.ports import Presented
from clearance.wiring import utc_now
from tests.cli.conftest import Invoke

Answer = Callable[..., Any]


def agent_of(home: Path, key: str) -> str:
    state = SqliteState(home / ".clearance")
    try:
        found = KeyIdentity(state.credentials, state.people, Standing(state.agents)).identify(
            Presented(credential=key), utc_now()
        )
    finally:
        state.close()
    assert isinstance(found, Principal)
    return found.agent


def test_a_new_agent_gets_a_key_alone_on_stdout(run: Invoke, home: Path) -> None:
    result = run("agent", "create", "billing", "--purpose", "sends invoices")
    assert result.exit_code == 0
    assert agent_of(home, result.stdout.strip()) == "billing"
    assert "shown once" in result.stderr


def test_a_key_in_json_is_beside_whose_it_is(answer: Answer, home: Path) -> None:
    made = answer("agent", "create", "billing")
    assert agent_of(home, made["key"]) == "billing"
    assert (made["agent"], made["revoked_at"]) == ("billing", None)


def test_an_agent_is_registered_once(run: Invoke) -> None:
    run("agent", "create", "billing")
    again = run("agent", "create", "billing")
    assert again.exit_code == 1
    assert again.stderr.startswith("error [conflict]")
    assert again.stdout == ""


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "a\x1b[2J"])
def test_a_name_that_no_record_could_hold_is_refused(name: str, run: Invoke, home: Path) -> None:
    assert run("agent", "create", name).exit_code == 2
    assert list(home.iterdir()) == []


def test_a_further_key_registers_its_agent_and_may_end(run: Invoke, answer: Answer, home: Path) -> None:
    result = run("agent", "key", "ops", "--expires-days", "3")
    assert agent_of(home, result.stdout.strip()) == "ops"
    assert "ops is a new agent" in result.stderr
    [key] = answer("agent", "keys", "ops")["keys"]
    assert key["expires_at"] > key["created_at"]


def test_keys_are_listed_without_anything_secret(run: Invoke, answer: Answer) -> None:
    secret = run("agent", "create", "billing").stdout.strip().rsplit("_", 1)[1]
    [key] = answer("agent", "keys")["keys"]
    assert set(key) == {"key_id", "agent", "created_at", "expires_at", "revoked_at", "label", "bounds"}
    assert secret not in run("agent", "keys").stdout
    assert "valid" in run("agent", "keys").stdout
    assert run("agent", "keys", "nobody").exit_code == 1


def test_a_revoked_key_opens_nothing(run: Invoke, answer: Answer, home: Path) -> None:
    made = answer("agent", "create", "billing")
    assert run("agent", "revoke", made["key_id"]).exit_code == 0
    with pytest.raises(AuthenticationError):
        agent_of(home, made["key"])
    assert "revoked" in run("agent", "keys").stdout
    assert run("agent", "revoke", "nothing").exit_code == 1


def test_agents_are_listed_by_name_with_their_valid_keys(run: Invoke, answer: Answer) -> None:
    for name in ("zeta", "alpha"):
        run("agent", "create", name, "--purpose", f"the {name}")
    told = answer("agent", "list")["agents"]
    assert [one["name"] for one in told] == ["alpha", "zeta"]
    assert told[0]["purpose"] == "the alpha"
    assert run("agent", "list").stdout.splitlines()[1].split()[-2:] == ["the", "alpha"]


def test_what_is_said_of_an_agent_is_shown_and_changed(run: Invoke, answer: Answer) -> None:
    described = ("--owner", "ann", "--team", "payments", "--role", "clerk", "--role", "teller")
    run("agent", "create", "billing", *described, "--environment", "sandbox", "--version", "1")
    assert run("agent", "change", "billing", "--version", "2", "--role", "clerk").exit_code == 0
    shown = answer("agent", "show", "billing")
    told = {
        key: shown["agent"][key] for key in ("owner", "team", "roles", "environment", "version", "status")
    }
    assert told == {
        "owner": "ann",
        "team": "payments",
        "roles": ["clerk"],
        "environment": "sandbox",
        "version": "2",
        "status": "active",
    }
    assert len(shown["keys"]) == 1 and shown["last_run_at"] is None
    assert "payments" in run("agent", "show", "billing").stdout
    assert run("agent", "change", "billing").exit_code == 2
    assert run("agent", "show", "nobody").exit_code == 1


def test_a_retired_agent_has_no_key_and_gets_none(run: Invoke, answer: Answer, home: Path) -> None:
    made = answer("agent", "create", "billing")
    assert run("agent", "retire", "billing").exit_code == 0
    with pytest.raises(AuthenticationError):
        agent_of(home, made["key"])
    again = run("agent", "key", "billing")
    assert again.exit_code == 1 and again.stdout == ""
    assert answer("agent", "list")["agents"][0]["status"] == "retired"


def test_a_retired_agent_is_refused_whatever_it_asks_for(run: Invoke, answer: Answer) -> None:
    assert run("check", "read", "--resource", "sandbox.t", "--agent", "bot").exit_code == 0
    run("agent", "retire", "bot")
    refused = answer("check", "read", "--resource", "sandbox.t", "--agent", "bot", code=1)
    assert refused["reasons"][0]["code"] == "agent_retired"


def test_an_agent_that_only_acted_is_listed_with_where_it_came_from(run: Invoke, answer: Answer) -> None:
    run("check", "read", "--resource", "sandbox.t", "--agent", "stranger")
    [seen] = answer("agent", "list")["agents"]
    assert (seen["name"], seen["source"]) == ("stranger", "declared")
    assert answer("agent", "show", "stranger")["last_run_at"]


def test_a_key_keeps_its_bounds_when_it_is_rotated(run: Invoke, answer: Answer, home: Path) -> None:
    run("agent", "create", "billing")
    bounds = ("--tool", "read_*", "--operation", "read", "--resource", "crm.*")
    made = answer("agent", "key", "billing", *bounds, "--label", "ci")
    rotated = answer("agent", "rotate", made["key_id"], "--overlap-hours", "0")
    assert (
        rotated["bounds"]
        == made["bounds"]
        == [{"tools": ["read_*"], "operations": ["read"], "resources": ["crm.*"]}]
    )
    assert agent_of(home, rotated["key"]) == "billing"
    with pytest.raises(AuthenticationError):
        agent_of(home, made["key"])
    assert "read_*" in run("agent", "keys", "billing").stdout


def test_learning_shows_a_policy_that_loads_and_stores_it_only_when_told(
    run: Invoke, answer: Answer, home: Path
) -> None:
    run("check", "read", "--resource", "sandbox.t", "--agent", "bot")
    shown = run("agent", "learn", "bot")
    assert "refuse none" in shown.stdout
    (home / "learned.yaml").write_text(shown.stdout)
    assert run("policy", "check", "learned.yaml").exit_code == 0
    before = answer("policy", "list")["version"]
    assert run("agent", "learn", "bot", "--ratify", stdin="n\n").exit_code == 1
    assert answer("policy", "list")["version"] == before
    assert run("agent", "learn", "bot", "--ratify", stdin="y\n").exit_code == 0
    assert answer("policy", "list")["version"] == before + 1
    assert run("check", "read", "--resource", "sandbox.t", "--agent", "bot").exit_code == 0
    refused = answer("check", "read", "--resource", "sandbox.u", "--agent", "bot", code=1)
    assert refused["reasons"][0]["code"] == "not_in_scope"
    assert run("agent", "learn", "nobody").exit_code == 1


def test_learning_from_named_runs_reads_only_those(run: Invoke, answer: Answer) -> None:
    first = answer("check", "read", "--resource", "sandbox.t", "--agent", "bot")["run_id"]
    run("check", "update", "--resource", "sandbox.t", "--agent", "bot")
    learned = answer("agent", "learn", "bot", "--run", first)["learned"]
    assert [entry["operation"] for entry in learned["policy"]["condition"]["any"]] == ["read"]
