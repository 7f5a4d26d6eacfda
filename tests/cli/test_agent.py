"""`clearance agent`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.identity import KeyIdentity
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
        found = KeyIdentity(state.credentials, state.people).identify(Presented(credential=key), utc_now())
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
    assert set(key) == {"key_id", "agent", "created_at", "expires_at", "revoked_at"}
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
