"""The configured database without a session: measure, save, settle, restore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.systems import open_session, open_system
from clearance.core.model import Environment, Operation, Radius, Request, RestoreMode, RestoreStatus
from clearance.errors import ConfigurationError, RecoveryError, SystemUnavailableError
from clearance.ports import System
from tests.adapters.systems.sqlite.conftest import Database

pytestmark = pytest.mark.servers

Ask = Callable[..., Request]


def counts(radius: Radius) -> dict[str, int | None]:
    return {f"{touch.resource} {touch.operation.value}": touch.count for touch in radius.touches}


@pytest.mark.parametrize("argument", ["sql", "query", "statement"])
def test_a_statement_is_counted_by_rehearsal_and_leaves_nothing(
    database: Database, ask: Ask, argument: str
) -> None:
    before = database.dump()
    measured = database.system().measure(ask(**{argument: "DELETE FROM accounts WHERE id = 1"}), [])
    assert counts(measured.radius)["entries delete"] == 2
    assert measured.operation is Operation.DELETE
    assert database.dump() == before
    assert not database.copies()
    assert not database.run("SELECT 1 FROM sqlite_schema WHERE name LIKE '%clearance%'")


def test_parameters_reach_the_rehearsal(database: Database, ask: Ask) -> None:
    measured = database.system().measure(ask(sql="DELETE FROM lines WHERE id = ?", parameters=[100]), [])
    assert measured.radius.count == 1


@pytest.mark.parametrize(
    "sql", ["nonsense", "SELECT 1; SELECT 2", "ATTACH 'x' AS y", "DELETE FROM lines WHERE id = ?", "VACUUM"]
)
def test_what_cannot_be_rehearsed_is_not_counted(database: Database, ask: Ask, sql: str) -> None:
    measured = database.system().measure(ask(sql=sql), [])
    assert measured.radius.unknown
    assert measured.radius.count is None


def test_a_removal_by_keys_counts_what_cascades(database: Database, ask: Ask) -> None:
    measured = database.system().measure(ask(Operation.DELETE, record_ids=[1, 99]), ["accounts"])
    assert counts(measured.radius)["accounts delete"] == 1
    assert counts(measured.radius)["entries delete"] == 2
    assert len(database.run("SELECT * FROM accounts")) == 3


def test_an_update_by_keys_counts_the_rows_that_exist_and_a_table_all_of_them(
    database: Database, ask: Ask
) -> None:
    system = database.system()
    assert system.measure(ask(Operation.UPDATE, record_ids=[1, 2, 99]), ["accounts"]).radius.count == 2
    assert system.measure(ask(Operation.UPDATE), ["accounts"]).radius.count == 3
    assert system.measure(ask(Operation.UPDATE), ["nothing"]).radius.unknown


def test_rows_that_somebody_else_changes_come_back(database: Database, ask: Ask) -> None:
    before = database.dump()
    system = database.system()
    saved = system.save(ask(Operation.UPDATE, record_ids=[1, 2]), ["accounts"], snapshot_id="s1")
    assert saved.count == 2
    database.run("UPDATE accounts SET note = 'theirs' WHERE id = 1")
    system.settle("s1")
    assert system.verify("s1").count == 1
    assert system.restore("s1", as_snapshot="u1", mode=RestoreMode.ALL).status is RestoreStatus.RESTORED
    assert database.dump() == before


def test_once_it_is_settled_a_later_change_is_a_conflict(database: Database, ask: Ask) -> None:
    system = database.system()
    system.save(ask(Operation.UPDATE, record_ids=[1]), ["accounts"], snapshot_id="s1")
    database.run("UPDATE accounts SET note = 'theirs' WHERE id = 1")
    system.settle("s1")
    database.run("UPDATE accounts SET note = 'later' WHERE id = 1")
    system.settle("s1")
    system.settle("unknown")
    assert system.restore("s1", as_snapshot="u1", mode=RestoreMode.ALL).status is RestoreStatus.CONFLICT


def test_a_removal_with_what_it_cascaded_to_comes_back(database: Database, ask: Ask) -> None:
    before = database.dump()
    system = database.system()
    system.save(ask(Operation.DELETE, record_ids=[1]), ["accounts"], snapshot_id="s1")
    database.run("PRAGMA foreign_keys = ON; DROP TRIGGER accounts_gone; DELETE FROM accounts WHERE id = 1")
    system.settle("s1")
    assert system.restore("s1", as_snapshot="u1", mode=RestoreMode.ALL).restored == 5
    assert {name: rows for name, rows in database.dump().items() if name} == {
        name: rows for name, rows in before.items() if name
    }


@pytest.mark.parametrize("is_settled", [True, False])
def test_a_whole_table_comes_back_from_its_copy(database: Database, ask: Ask, is_settled: bool) -> None:
    before = database.dump()
    system = database.system()
    assert system.save(ask(), ["lines"], snapshot_id="s1").count == 3
    database.run("DELETE FROM lines; INSERT INTO lines VALUES (7, NULL)")
    if is_settled:
        system.settle("s1")
    assert system.restore("s1", as_snapshot="u1", mode=RestoreMode.ALL).status is RestoreStatus.RESTORED
    assert database.dump() == before


def test_a_statement_is_saved_by_rehearsal_before_somebody_else_runs_it(database: Database, ask: Ask) -> None:
    before = database.dump()
    system = database.system()
    sql = "DELETE FROM lines WHERE id = 100"
    first = system.save(ask(sql=sql), [], snapshot_id="s1")
    assert first.count == 1
    assert database.dump() == before
    assert system.save(ask(sql="DELETE FROM lines"), [], snapshot_id="s1") == first
    database.run(sql)
    system.settle("s1")
    assert system.restore("s1", as_snapshot="u1", mode=RestoreMode.ALL).status is RestoreStatus.RESTORED
    assert database.dump() == before


@pytest.mark.parametrize("sql", ["VACUUM", "SELECT 1", "nonsense", "ATTACH 'x' AS y"])
def test_what_cannot_be_kept_is_refused(database: Database, ask: Ask, sql: str) -> None:
    with pytest.raises(RecoveryError):
        database.system().save(ask(sql=sql), [], snapshot_id="s1")


def test_a_request_that_names_nothing_is_refused(database: Database, ask: Ask) -> None:
    for names in ([], ["nothing"]):
        with pytest.raises(RecoveryError):
            database.system().save(ask(), names, snapshot_id="s1")


def test_the_environment_is_told_by_the_options_then_by_the_marker(database: Database) -> None:
    assert database.system().info().environment is Environment.UNKNOWN
    database.run(
        "CREATE TABLE _clearance_marker (environment); INSERT INTO _clearance_marker VALUES ('staging')"
    )
    info = database.system().info()
    assert info.environment is Environment.STAGING
    told = database.system(environments={info.fingerprint: "sandbox"})
    assert told.info().environment is Environment.SANDBOX
    database.run("UPDATE _clearance_marker SET environment = 'anything'")
    assert database.system().info().environment is Environment.UNKNOWN


def test_a_file_that_was_exchanged_has_another_fingerprint(database: Database) -> None:
    before = database.system().info().fingerprint
    content = database.path.read_bytes()
    other = database.path.with_suffix(".new")
    other.write_bytes(content)
    other.replace(database.path)
    assert database.system().info().fingerprint != before


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"path": "a.db", "dsn": "sqlite:///a.db"},
        {"path": ":memory:"},
        {"dsn": "postgres://x"},
        {"dsn_env": "NO_SUCH_VARIABLE_OF_OURS"},
        {"path": "a.db", "most_rows": -1},
        {"path": "a.db", "unheard_of": 1},
        {"path": "a.db", "environments": {"x": "prod"}},
    ],
)
def test_options_that_do_not_fit_are_a_configuration_error(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        open_system("sqlite", "db", options, images=tmp_path)


def test_the_ways_to_name_a_file(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_DSN", f"sqlite:///{database.path}")
    wanted = database.system().info().fingerprint
    for options in ({"dsn": f"sqlite:///{database.path}"}, {"dsn_env": "THE_DSN"}):
        system: System = open_system("sqlite", "db", options, images=tmp_path)
        assert system.info().fingerprint == wanted
        open_session("sqlite", "db", options, images=tmp_path).close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(SystemUnavailableError):
        open_system("sqlite", "db", {"path": str(path)}, images=tmp_path).info()
