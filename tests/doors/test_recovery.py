"""Counts, snapshots and undo through the client, in process and over HTTP: the same words and answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from clearance import Client, ForbiddenError, NotFoundError, PolicyViolationError
from clearance.core.model import RestoreStatus
from clearance.errors import RestoreConflictError
from tests.conftest import Server, make_server

pytestmark = pytest.mark.servers

SETTINGS = """
systems:
  shop: {kind: sqlite, path: shop.db, environments: {}}
  gone: {kind: files, root: /no/such/directory}
resources:
  users.accounts: shop/accounts
"""
ROWS = 40


class World:
    """A directory with a configuration, and the real database that it names."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "shop.db"
        (directory / "clearance.yaml").write_text(SETTINGS, encoding="utf-8")
        with closing(sqlite3.connect(self.path)) as plain, plain:
            plain.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, state TEXT NOT NULL)")
            plain.executemany("INSERT INTO accounts (state) VALUES (?)", [("open",)] * ROWS)

    def run(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path)) as plain, plain:
            plain.execute(statement)

    def rows(self) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as plain:
            return plain.execute("SELECT id, state FROM accounts ORDER BY id").fetchall()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return World(tmp_path)


@pytest.fixture
def remote(world: World, tmp_path: Path) -> Iterator[Server]:
    """A server whose working directory holds the configuration."""
    server = make_server(tmp_path / "served")
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["embedded", "remote"])
def client(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Iterator[Client]:
    if request.param == "remote":
        server: Server = request.getfixturevalue("remote")
        opened = Client(url=server.url, api_key=server.agent_key)
    else:
        opened = Client(tmp_path / "store", agent="billing")
    with opened:
        yield opened


def test_a_check_counts_on_the_real_database_and_not_what_the_caller_claims(client: Client) -> None:
    few = client.check("update", "users.accounts", arguments={"record_ids": [1, 2, 3, 999]})
    assert few.allowed
    [radius] = few.radius
    assert (radius.system, radius.count) == ("shop", 3)
    claimed = client.check("update", "users.accounts", payload={"record_count": 1})
    assert claimed.blocked
    assert claimed.radius[0].count == ROWS


def test_a_statement_in_a_tool_call_is_counted_and_changes_nothing(client: Client, world: World) -> None:
    before = world.rows()
    sql = "UPDATE accounts SET state = 'lost'"
    result = client.check("run_sql", "sqlite:shop", arguments={"sql": sql})
    assert (result.blocked, result.radius[0].count) == (True, ROWS)
    small = client.check("run_sql", "sqlite:shop", arguments={"sql": f"{sql} WHERE id < 4"})
    assert (small.allowed, small.radius[0].count) == (True, 3)
    assert world.rows() == before


def test_a_snapshot_of_named_records_rolls_back_those_and_no_others(client: Client, world: World) -> None:
    before = world.rows()
    snapshot_id = client.snapshot(resource="users.accounts", record_ids=[1, 2])
    world.run("UPDATE accounts SET state = 'lost' WHERE id IN (1, 2)")
    world.run("UPDATE accounts SET state = 'mine' WHERE id = 3")
    plan = client.rollback(snapshot_id, mode="plan")
    assert plan.status is RestoreStatus.PLANNED
    assert plan.systems["shop"].restored == 2
    assert world.rows()[0] == (1, "lost")
    done = client.rollback(snapshot_id)
    assert (done.status, done.systems["shop"].restored) == (RestoreStatus.RESTORED, 2)
    assert done.systems["shop"].verified
    assert world.rows() == [*before[:2], (3, "mine"), *before[3:]]


def test_rolling_back_twice_is_once_and_an_undo_can_be_undone(client: Client, world: World) -> None:
    before = world.rows()
    snapshot_id = client.snapshot(resource="users.accounts", record_ids=[1])
    world.run("UPDATE accounts SET state = 'lost' WHERE id = 1")
    changed = world.rows()
    done = client.rollback(snapshot_id)
    assert client.rollback(snapshot_id).status is RestoreStatus.ALREADY_UNDONE
    assert world.rows() == before
    client.undo(done.undo_id)
    assert world.rows() == changed


def test_a_snapshot_can_be_proven_whole(client: Client) -> None:
    [saved] = client.verify(client.snapshot(resource="users.accounts", record_ids=[1, 2]))
    assert (saved.system, saved.count) == ("shop", 2)


def test_a_rollback_is_an_action_in_the_trace(client: Client, world: World) -> None:
    with client.run(goal="put it right") as run:
        snapshot_id = client.snapshot(resource="users.accounts", record_ids=[1])
        world.run("UPDATE accounts SET state = 'lost' WHERE id = 1")
        client.rollback(snapshot_id)
    told = [
        (record.kind.value, record.tool, record.operation, record.status)
        for record in client.trace(run.run_id)
    ]
    assert told[1:-1] == [
        ("intent", "clearance.snapshot", "read", ""),
        ("outcome", "clearance.snapshot", "read", "succeeded"),
        ("intent", "clearance.undo", "restore", ""),
        ("outcome", "clearance.undo", "restore", "succeeded"),
    ]


def test_a_policy_that_asks_for_a_snapshot_gets_one_before_the_action_runs(
    world: World, tmp_path: Path
) -> None:
    with Client(tmp_path / "store", agent="billing") as client:
        client.policies.create({"name": "save", "rule": "snapshot", "condition": {"action": "update"}})
        result = client.check("update", "users.accounts", arguments={"record_ids": [1, 2]})
        assert result.allowed
        before = world.rows()
        world.run("UPDATE accounts SET state = 'lost' WHERE id IN (1, 2)")
        client.report(result)
        assert client.rollback(result.snapshot_id).status is RestoreStatus.RESTORED
        assert world.rows() == before


def test_what_somebody_changed_after_the_action_is_a_conflict_and_nothing_is_restored(
    world: World, tmp_path: Path
) -> None:
    with Client(tmp_path / "store", agent="billing") as client:
        client.policies.create({"name": "save", "rule": "snapshot", "condition": {"action": "update"}})
        result = client.check("update", "users.accounts", arguments={"record_ids": [1, 2]})
        world.run("UPDATE accounts SET state = 'lost' WHERE id IN (1, 2)")
        client.report(result)
        world.run("UPDATE accounts SET state = 'somebody else' WHERE id = 2")
        changed = world.rows()
        with pytest.raises(RestoreConflictError) as conflict:
            client.rollback(result.snapshot_id)
        assert [key.split()[-1] for key in conflict.value.keys] == ["2"]
        assert world.rows() == changed
        assert client.rollback(result.snapshot_id, mode="free").status is RestoreStatus.PARTIAL
        assert world.rows()[:2] == [(1, "open"), (2, "somebody else")]


def test_a_policy_can_forbid_an_undo(world: World, tmp_path: Path) -> None:
    with Client(tmp_path / "store", agent="billing") as client:
        snapshot_id = client.snapshot(resource="users.accounts", record_ids=[1])
        world.run("UPDATE accounts SET state = 'lost' WHERE id = 1")
        client.policies.create({"name": "no_undo", "rule": "block", "condition": {"action": "restore"}})
        with pytest.raises(PolicyViolationError):
            client.rollback(snapshot_id)
    assert world.rows()[0] == (1, "lost")


@pytest.mark.parametrize("action", ["read", "restore"])
def test_refused_snapshots_and_undos_trip_a_breaker_as_any_action(
    action: str, world: World, tmp_path: Path
) -> None:
    fuse = {"violations": 2, "within_seconds": 600}
    with Client(tmp_path / "store", agent="billing") as client:
        snapshot_id = client.snapshot(resource="users.accounts", record_ids=[1])
        client.policies.create({"name": "no", "rule": "block", "condition": {"action": action}})
        client.policies.create({"name": "fuse", "rule": "circuit_breaker", "trips": fuse, "then": "pause"})
        codes = []
        for _ in range(3):
            with pytest.raises(PolicyViolationError) as refused:
                if action == "read":  # as which saving state is judged
                    client.snapshot(resource="users.accounts", record_ids=[1])
                else:
                    client.rollback(snapshot_id)
            codes.append(refused.value.reason_code)
    assert codes[2] == "paused"
    assert "paused" not in codes[:2]


def test_what_was_never_saved_cannot_be_undone_and_says_so(client: Client) -> None:
    result = client.check("update", "elsewhere.table")
    with pytest.raises(NotFoundError, match="Nothing was saved"):
        client.undo(result)
    with pytest.raises(NotFoundError):
        client.rollback("snap_0")
    with pytest.raises(NotFoundError):
        client.snapshot(resource="elsewhere.table")


def test_an_agents_key_undoes_its_own_actions_only(remote: Server, world: World) -> None:
    with Client(url=remote.url, api_key=remote.agent_key) as billing:
        snapshot_id = billing.snapshot(resource="users.accounts", record_ids=[1])
    with remote.http(admin=True) as admin:
        made = admin.post("/v1/agents", json={"name": "other"}).json()
        key = made.get("key") or admin.post("/v1/agents/other/keys", json={}).json()["key"]
    with Client(url=remote.url, api_key=key) as other, pytest.raises(ForbiddenError):
        other.rollback(snapshot_id)


def test_the_systems_are_listed_with_what_is_wrong(remote: Server) -> None:
    with remote.http(admin=True) as admin:
        systems = {one["name"]: one for one in admin.get("/v1/systems").json()["systems"]}
    assert systems["shop"]["info"]["kind"] == "sqlite"
    assert systems["gone"]["error"]
    with remote.http() as agent:
        assert agent.get("/v1/systems").status_code == 403


def test_a_conflict_over_http_is_a_409_that_names_the_keys(remote: Server, world: World) -> None:
    with remote.http(admin=True) as admin, remote.http() as agent:
        save = {"name": "save", "rule": "snapshot", "condition": {"action": "update"}}
        assert admin.post("/v1/policies", json=save).status_code == 201
        call = {"action": "update", "resource": "users.accounts", "arguments": {"record_ids": [7]}}
        action = agent.post("/v1/actions", json=call).json()
        world.run("UPDATE accounts SET state = 'lost' WHERE id = 7")
        agent.post(f"/v1/actions/{action['action_id']}/outcome", json={"status": "succeeded"})
        world.run("UPDATE accounts SET state = 'else' WHERE id = 7")
        refused: httpx.Response = agent.post(f"/v1/actions/{action['action_id']}/undo", json={})
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "restore_conflict"
    assert refused.json()["error"]["keys"][0].endswith("7")
