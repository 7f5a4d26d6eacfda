"""rollback, snapshot, system and classify: what they print, what they exit with, what they leave alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from clearance import Client
from clearance.sql import connect
from tests.cli.conftest import Invoke

pytestmark = pytest.mark.servers

SETTINGS = """
systems:
  shop: {kind: sqlite, path: shop.db}
resources: {users.accounts: shop/accounts}
"""


def plain(home: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "shop.db")) as connection, connection:
        return connection.execute(statement).fetchall()


def states(home: Path) -> list[str]:
    return [state for (state,) in plain(home, "SELECT state FROM accounts ORDER BY id")]


@pytest.fixture
def changed(home: Path) -> tuple[str, str]:
    """A run that changed two accounts of ten: its id and the action's."""
    (home / "clearance.yaml").write_text(SETTINGS, encoding="utf-8")
    plain(home, "CREATE TABLE accounts (id INTEGER PRIMARY KEY, state TEXT NOT NULL)")
    plain(home, "INSERT INTO accounts (state) VALUES " + ", ".join(["('open')"] * 10))
    with (
        Client(agent="clerk") as client,
        client.run(goal="close two") as run,
        connect("shop", client=client) as db,
    ):
        done = db.execute("UPDATE accounts SET state = 'done' WHERE id <= 2")
        db.commit()
        assert done.cleared is not None
        return run.run_id, done.cleared.action_id


def test_a_dry_run_tells_what_would_be_restored_and_changes_nothing(
    home: Path, run: Invoke, changed: tuple[str, str]
) -> None:
    result = run("rollback", changed[1], "--dry-run")
    assert (result.exit_code, states(home)[:3]) == (0, ["done", "done", "open"])
    assert "would be restored" in result.stdout
    assert " 2 " in result.stdout


@pytest.mark.parametrize("which", [0, 1], ids=["run", "action"])
def test_a_rollback_puts_it_back_and_again_is_no_harm(
    home: Path, answer: Callable[..., Any], changed: tuple[str, str], which: int
) -> None:
    [undone] = answer("rollback", changed[which])["undone"]
    assert (undone["status"], undone["systems"]["shop"]["restored"]) == ("restored", 2)
    assert set(states(home)) == {"open"}
    [again] = answer("rollback", changed[which])["undone"]
    assert again["status"] == "already_undone"


def test_a_conflict_is_named_by_its_key_and_exits_1(
    home: Path, run: Invoke, changed: tuple[str, str]
) -> None:
    plain(home, "UPDATE accounts SET state = 'mine' WHERE id = 2")
    result = run("rollback", changed[1])
    assert result.exit_code == 1
    assert "conflict: accounts 2" in result.stdout
    assert "error [restore_conflict]" in result.stderr
    assert states(home)[:2] == ["done", "mine"]
    told = json.loads(run("rollback", changed[1], "--json").stdout)
    assert (told["error"], told["keys"]) == ("restore_conflict", ["accounts 2"])
    assert run("rollback", changed[1], "--only-free").exit_code == 0
    assert states(home)[:2] == ["open", "mine"]


def test_what_was_never_saved_exits_1_and_two_modes_at_once_exit_2(
    run: Invoke, changed: tuple[str, str]
) -> None:
    assert run("rollback", "act_0").exit_code == 1
    assert run("rollback", "run_0").exit_code == 1
    assert run("rollback", changed[1], "--dry-run", "--only-free").exit_code == 2


def test_a_snapshot_is_taken_verified_and_rolled_back(
    home: Path, run: Invoke, answer: Callable[..., Any], changed: tuple[str, str]
) -> None:
    taken = run("snapshot", "take", "users.accounts", "--record", "5", "--record", "6")
    assert taken.exit_code == 0
    snapshot_id = taken.stdout.strip()
    assert answer("snapshot", "verify", snapshot_id)["saved"][0]["count"] == 2
    plain(home, "DELETE FROM accounts WHERE id = 5")
    assert run("rollback", snapshot_id).exit_code == 0
    assert len(states(home)) == 10
    assert run("snapshot", "take", "elsewhere").exit_code == 1


def test_systems_are_listed_with_their_guarantees_and_installed(
    home: Path, run: Invoke, answer: Callable[..., Any], changed: tuple[str, str]
) -> None:
    [system] = answer("system", "list")["systems"]
    assert (system["name"], system["info"]["kind"]) == ("shop", "sqlite")
    assert system["info"]["can"]
    assert system["info"]["cannot"]
    assert "shop, not guaranteed:" in run("system", "list").stdout
    assert run("system", "install", "shop").stdout == "shop: ready\n"
    assert run("system", "install", "other").exit_code == 2
    (home / "shop.db").unlink()
    assert run("system", "list").exit_code == 1


def test_a_trace_and_a_check_show_what_is_touched(run: Invoke, changed: tuple[str, str]) -> None:
    assert "shop: update accounts 2" in run("trace", changed[0]).stdout
    shown = run("check", "update", "--resource", "users.accounts")
    assert shown.exit_code == 0
    assert "shop: update accounts 10" in shown.stdout.replace("at most ", "")


@pytest.mark.parametrize(
    ("dialect", "text", "operation", "code"),
    [
        ("postgres", "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "delete", 0),
        ("mysql", "DROP TABLE orders", "ddl", 0),
        ("sqlite", "REPLACE INTO orders VALUES (1)", "delete", 0),
        ("shell", "rm -rf /srv/data", "delete", 0),
        ("shell", "DATABASE_URL=postgres://u:s3cr3t@db/app npx prisma migrate reset --force", "ddl", 0),
        ("postgres", "SELEC 1", "unknown", 1),
        ("shell", 'eval "$X"', "unknown", 1),
    ],
)
def test_classify_tells_the_effects_and_exits_1_where_something_is_unknown(
    run: Invoke, dialect: str, text: str, operation: str, code: int
) -> None:
    result = run("classify", "--dialect", dialect, "--json", text)
    told = json.loads(result.stdout)
    assert (told["operation"], result.exit_code) == (operation, code)
    assert bool(told["unknown"]) is bool(code)
    assert "s3cr3t" not in result.output
    assert run("classify", "--dialect", dialect, text).exit_code == code


def test_classify_resolves_names_in_a_database(home: Path, run: Invoke, changed: tuple[str, str]) -> None:
    plain(home, "CREATE TRIGGER t AFTER INSERT ON accounts BEGIN DELETE FROM accounts WHERE id = 1; END")
    text = "INSERT INTO accounts (state) VALUES ('x')"
    alone = json.loads(run("classify", "--dialect", "sqlite", "--json", text).stdout)
    asked = json.loads(
        run("classify", "--dialect", "sqlite", "--dsn", "sqlite:///shop.db", "--json", text).stdout
    )
    assert (alone["operation"], asked["operation"]) == ("create", "delete")
    assert run("classify", "--dialect", "shell", "--dsn", "sqlite:///shop.db", "ls").exit_code == 2
