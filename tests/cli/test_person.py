"""`clearance person` and `clearance token`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.identity import KeyIdentity, Standing
from clearance.adapters.store import SqliteState
from clearance.core.model import Person
from clearance.errors import AuthenticationError
from clearance.ports import Presented
from clearance.wiring import utc_now
from tests.cli.conftest import Invoke

Answer = Callable[..., Any]
PASSWORD = "correct horse battery"


def _person_of(home: Path, text: str) -> str:
    """Whose token it is; empty when it proves nothing."""
    state = SqliteState(home / ".clearance")
    try:
        identity = KeyIdentity(state.credentials, state.people, Standing(state.agents))
        found = identity.identify(Presented(credential=text), utc_now())
    except AuthenticationError:
        return ""
    finally:
        state.close()
    assert isinstance(found, Person)
    return found.name


def _add(run: Invoke, name: str, *arguments: str, stdin: str | None = None) -> None:
    result = run("person", "add", name, *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output


def test_the_first_admin_is_asked_for_a_password_that_nobody_sees(run: Invoke, answer: Answer) -> None:
    result = run("person", "add", "alice", "--role", "admin", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert result.stdout == "Added alice: admin.\n"
    assert PASSWORD not in result.output
    [told] = answer("person", "list")["people"]
    assert (told["name"], told["roles"], told["source"], told["is_active"]) == (
        "alice",
        ["admin"],
        "local",
        True,
    )
    assert "password_hash" not in told


def test_two_passwords_that_differ_and_one_too_short_make_nobody(run: Invoke, answer: Answer) -> None:
    assert run("person", "add", "alice", stdin=f"{PASSWORD}\nanother\n").exit_code == 1
    result = run("person", "add", "alice", "--password-stdin", stdin="short\n")
    assert result.exit_code == 1
    assert "error [wrong_value]" in result.stderr
    assert run("person", "list").stdout in ("", "Nobody.\n")


def test_somebody_is_changed_and_what_is_left_out_stays(run: Invoke, answer: Answer) -> None:
    _add(run, "bob", "--role", "viewer", "--team", "a", "--invite", "--email", "b@x.test")
    told = answer("person", "change", "bob", "--role", "auditor", "--role", "operator")
    assert (told["roles"], told["teams"], told["email"]) == (["operator", "auditor"], ["a"], "b@x.test")
    assert answer("person", "change", "bob", "--no-roles")["roles"] == []
    assert run("person", "change", "bob", "--no-roles", "--role", "admin").exit_code == 2
    assert "error [not_found]" in run("person", "change", "nobody").stderr
    assert "invited" in run("person", "list").stdout


def test_a_token_is_alone_on_stdout_rotated_and_revoked(run: Invoke, answer: Answer, home: Path) -> None:
    _add(run, "deploy", "--role", "operator", "--service")
    made = run("token", "create", "deploy", "--expires-days", "3", "--label", "ci")
    text = made.stdout.strip()
    assert "shown once" in made.stderr
    assert _person_of(home, text) == "deploy"
    [told] = answer("token", "list")["tokens"]
    assert (told["name"], told["label"], told["revoked_at"]) == ("deploy", "ci", None)
    assert text.rsplit("_", 1)[1] not in run("token", "list").stdout
    successor = answer("token", "rotate", told["id"], "--overlap-hours", "0")
    assert _person_of(home, text) == ""
    assert _person_of(home, successor["token"]) == "deploy"
    assert answer("token", "revoke", successor["id"])["revoked_at"]
    assert _person_of(home, successor["token"]) == ""


def test_deactivating_a_service_ends_its_tokens_for_good(run: Invoke, answer: Answer, home: Path) -> None:
    _add(run, "deploy", "--service")
    text = run("token", "create", "deploy").stdout.strip()
    assert _person_of(home, text) == "deploy"
    assert answer("person", "deactivate", "deploy")["is_active"] is False
    assert _person_of(home, text) == ""
    assert run("token", "create", "deploy").exit_code == 1
    assert answer("person", "activate", "deploy")["is_active"] is True
    assert _person_of(home, text) == ""
    assert run("token", "create", "deploy").exit_code == 0


@pytest.mark.parametrize("arguments", [["--invite"], ["--invite", "--service", "--email", "a@x.test"]])
def test_an_invitation_needs_an_address_and_is_for_people(arguments: list[str], run: Invoke) -> None:
    assert run("person", "add", "bob", *arguments).exit_code in (1, 2)


def test_every_act_is_in_the_administrative_record(run: Invoke, answer: Answer) -> None:
    _add(run, "deploy", "--role", "operator", "--service")
    run("token", "create", "deploy")
    run("person", "deactivate", "deploy")
    records = answer("trace", "administration")["records"]
    acts = [record["tool"] for record in records if record["kind"] == "administration"]
    assert acts == ["person.add", "token.create", "person.deactivate"]
    assert all(record["agent"].startswith("local:") for record in records)
