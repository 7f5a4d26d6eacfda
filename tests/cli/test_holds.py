"""`clearance holds`, `approve`, `deny`, `grant`: what people see, and that they answer exactly that."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearance import CheckResult, Client
from clearance.cli.person_here import local_person
from clearance.core.model import Role
from clearance.wiring import utc_now
from tests.cli.conftest import ESCAPES, Invoke
from tests.conftest import Server
from tests.doors.approvers import ASKS, held, http_of, token_of

pytestmark = pytest.mark.servers  # takes its time

HERE = local_person().name


@pytest.fixture
def client(home: Path) -> Iterator[Client]:
    """An agent on the store of the working directory, whose mail needs a yes."""
    with Client(home / ".clearance", agent="billing") as opened:
        opened.policies.create({"name": "ask_mail", "message": f"Mail needs a yes{ESCAPES}.", **ASKS})
        yield opened


@pytest.fixture
def mail(client: Client) -> CheckResult:
    """One held action, after one that ran, in a run with a goal."""
    with client.run(f"pay the March bill {ESCAPES}") as run:
        client.report(run.check("read", "invoices", arguments={"number": 7}))
        arguments = {"to": [f"{n}@b.example" for n in range(30)], "body": ESCAPES, "password": "hunter2"}
        return run.check("send_email", arguments=arguments)


def test_the_table_tells_what_waits_and_until_when(run: Invoke, mail: CheckResult) -> None:
    told = run("holds")
    assert told.exit_code == 0
    for text in (mail.hold_id, "pending", "in 59 min", "billing", "send_email", "30"):
        assert text in told.stdout
    assert "\x1b" not in told.stdout


def test_nothing_held_is_said(run: Invoke, client: Client) -> None:
    assert run("holds").stdout == "Nothing is held.\n"


def test_one_hold_is_shown_whole_and_harmless(run: Invoke, mail: CheckResult) -> None:
    told = run("holds", "show", mail.hold_id)
    assert told.exit_code == 0
    for text in (
        "PENDING",
        "agent      billing",
        "pay the March bill",
        "send_email  send",
        "29@b.example",
        "recipient_count 30",
        "ask_mail: 1 approver, not by whoever asked for it or owns the agent",
        "0 of 1 said yes",
        "the run so far",
        "resource:invoices",
        '{"number":7}',
    ):
        assert text in told.stdout, text
    assert "hunter2" not in told.stdout
    assert "[redacted:password]" in told.stdout
    assert "\x1b" not in told.stdout
    assert "\u202e" not in told.stdout


def test_a_hold_is_found_by_the_beginning_of_its_id(run: Invoke, mail: CheckResult) -> None:
    beginning = mail.hold_id.removeprefix("hold_")[:16]
    assert mail.hold_id in run("holds", "show", beginning).stdout
    assert run("holds", "show", "hold_f").exit_code == 1


def test_an_approval_lets_the_same_call_run(run: Invoke, client: Client, mail: CheckResult) -> None:
    told = run("approve", mail.hold_id, "--yes", "--reason", "agreed")
    assert told.exit_code == 0, told.output
    assert "29@b.example" in told.stdout, "what is approved is shown"
    assert "Approved. It runs when the agent sends the same call again." in told.stdout
    shown = run("holds", "show", mail.hold_id).stdout
    assert f"approve by {HERE}" in shown
    assert ": agreed" in shown


def test_the_trace_tells_who_said_what(run: Invoke, client: Client, mail: CheckResult) -> None:
    run("approve", mail.hold_id, "--yes", "--reason", f"agreed {ESCAPES}")
    told = run("trace", mail.run_id).stdout
    assert f"said       approve by {HERE}: agreed" in told
    assert "\x1b" not in told


def test_a_denial_is_final(run: Invoke, mail: CheckResult) -> None:
    assert "Denied. It will not run." in run("deny", mail.hold_id, "--yes", "--reason", "no").stdout
    assert run("holds", "show", mail.hold_id).exit_code == 1
    late = run("approve", mail.hold_id, "--yes")
    assert late.exit_code == 1
    assert "error [approval_closed]" in late.stderr
    assert run("holds").stdout == "Nothing is held.\n"
    assert mail.hold_id in run("holds", "--all").stdout
    assert mail.hold_id in run("holds", "--status", "denied").stdout


def test_without_a_terminal_nothing_is_approved_unasked(run: Invoke, mail: CheckResult) -> None:
    for verb in ("approve", "deny"):
        told = run(verb, mail.hold_id, stdin="y\n")
        assert told.exit_code == 2
        assert "--yes" in told.stderr
    assert "pending" in run("holds").stdout


@pytest.mark.parametrize(("typed", "status"), [("y\n", "APPROVED"), ("n\n", "PENDING")])
def test_on_a_terminal_it_is_shown_and_asked(
    run: Invoke, mail: CheckResult, home: Path, typed: str, status: str
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "clearance", "approve", mail.hold_id],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=home,
    )
    os.close(theirs)
    seen = b""
    while b"Approve this?" not in seen:
        seen += os.read(ours, 65_536)
    assert b"29@b.example" in seen
    os.write(ours, typed.encode())
    while True:
        try:
            if not os.read(ours, 65_536):
                break
        except OSError:
            break
    process.wait(timeout=20)
    os.close(ours)
    assert status in run("holds", "show", mail.hold_id).stdout


def test_a_hold_that_shows_something_else_than_its_hash_is_not_answered(
    run: Invoke, mail: CheckResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older version cannot show, it must not approve."""
    monkeypatch.setattr("clearance.cli.answer.shown_hash", lambda _: "0" * 64)
    told = run("approve", mail.hold_id, "--yes")
    assert told.exit_code == 1
    assert "error [approval_mismatch]" in told.stderr


def test_json_answers_are_whole(answer: Any, mail: CheckResult) -> None:
    [listed] = answer("holds")["holds"]
    assert listed["hold_id"] == mail.hold_id
    assert answer("holds", "show", mail.hold_id) == listed
    assert answer("approve", mail.hold_id, "--yes")["status"] == "approved"


def test_watching_tells_of_each_change(home: Path, run: Invoke, mail: CheckResult) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "clearance", "holds", "--watch", "--json", "--all"],
        stdout=subprocess.PIPE,
        cwd=home,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["status"] == "pending"
        run("approve", mail.hold_id, "--yes")
        assert json.loads(process.stdout.readline())["status"] == "approved"
    finally:
        process.kill()
        process.wait(timeout=10)


def test_a_check_is_held_and_goes_on_with_its_hold(run: Invoke, answer: Any, client: Client) -> None:
    described = ("check", "send_email", "--arguments", '{"to": "a@b.example"}', "--agent", "billing")
    held = answer(*described, code=1)
    assert run("approve", held["hold_id"], "--yes").exit_code == 0
    assert answer(*described, "--hold", held["hold_id"])["action_id"] == held["action_id"]
    again = answer(*described, "--hold", held["hold_id"], code=1)
    assert again["reasons"][0]["code"] == "approval_used"


def test_a_grant_is_made_listed_used_and_revoked(run: Invoke, answer: Any, client: Client) -> None:
    made = answer(
        *("grant", "create", "billing", "send_email", "--rows", "20", "--minutes", "30", "--times", "5"),
        *("--resource", "email:*@b.example", "--policy", "ask_mail", "--reason", "letters"),
    )
    assert (made["by"], made["most_records"], made["most_uses"]) == (HERE, 20, 5)
    assert (made["resources"], made["policies"]) == (["email:*@b.example"], ["ask_mail"])
    listed = run("grant", "list").stdout
    for text in (made["grant_id"], "0 of 5", "in 29 min", HERE, "20"):
        assert text in listed
    assert "Revoked" in run("grant", "revoke", made["grant_id"]).stdout
    assert f"revoked by {HERE}" in run("grant", "list").stdout
    assert run("grant", "revoke", "grant_none").exit_code == 1


def test_a_grant_made_here_lets_the_agent_through(run: Invoke, client: Client) -> None:
    assert run("grant", "create", "billing", "send_email", "--times", "1").exit_code == 0
    effects = [client.check("send_email", arguments={"to": "a@b.example"}).allowed for _ in range(2)]
    assert effects == [True, False]


def test_it_all_works_on_a_server_too(server: Server, run: Invoke) -> None:
    token = token_of(server, f"dora{time.monotonic_ns()}", Role.APPROVER)
    at = ("--url", server.url, "--api-key", token)
    with server.http(admin=True) as admin, server.http() as agent:
        admin.post("/v1/policies", json={"name": "ask_mail", **ASKS})
        told = held(agent)
        assert told["hold_id"] in run("holds", *at).stdout
        assert "[redacted:password]" in run("holds", "show", told["hold_id"], *at).stdout
        assert "Approved." in run("approve", told["hold_id"], "--yes", *at).stdout
        late = run("deny", told["hold_id"], "--yes", *at)
        assert "error [approval_closed]" in late.stderr
        made = json.loads(run("grant", "create", "billing", "zap", "--json", *at).stdout)
        assert made["grant_id"] in run("grant", "list", *at).stdout
        assert "Revoked" in run("grant", "revoke", made["grant_id"], *at).stdout
        with http_of(server, token) as http:
            assert http.get(f"/v1/holds/{told['hold_id']}").json()["answers"][0]["kind"] == "approve"


def test_whoever_owns_the_files_is_an_admin_under_their_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody_else")
    monkeypatch.setenv("USER", "somebody_else")
    person = local_person()
    assert person.roles == (Role.ADMIN,)
    assert person.name.startswith("local:")
    assert "somebody_else" not in person.name
    assert person.created_at <= utc_now()
