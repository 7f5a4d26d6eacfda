"""Whatever is changed behind the journal's back, a verification says so."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.store.sqlite import SqliteJournal, schema
from clearance.core.model import Draft
from clearance.ports import Verification
from tests.adapters.store.sqlite.conftest import drafted

Make = Callable[..., Draft]
Sql = Callable[..., list[tuple[Any, ...]]]
_OFFSET = {"meta": 0, "records": 1, "runs": 0, "open_actions": 0}
FIRST, SECOND = "2026-03-14.db", "2026-03-15.db"


def _columns() -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in schema.SEGMENT:
            connection.execute(statement)
        for table in ("meta", "records", "runs", "open_actions"):
            for column in connection.execute(f"PRAGMA table_info({table})"):
                yield table, column[1]


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written once: a run that goes over both, an action open in both, one held and then cleared."""
    root = tmp_path_factory.mktemp("written") / "store"
    journal = SqliteJournal(root)
    notify = {"decision": {"obligations": [{"type": "notify"}]}}
    for day in range(2):
        names = {"node": "n1", "tool": "send_email", "operation": "send", "effect": "allow", "status": "s"}
        journal.append(
            [
                drafted("run-a", "run_started", day=day),
                drafted("run-a", "intent", day=day, action_id=f"a{day}", body=notify, **names),
                drafted(f"run-{day}", "hold", day=day, action_id=f"b{day}", body={}, **names),
                drafted(f"run-{day}", "intent", day=day, action_id=f"b{day}"),
                drafted(f"run-{day}", "outcome", day=day, action_id=f"b{day}"),
                drafted("run-a", "refusal", day=day, action_id=f"c{day}"),
                drafted(f"run-{day}", "run_ended", day=day),
            ]
        )
    assert journal.verify().problems == ()
    journal.close()
    return root


@pytest.fixture
def written(root: Path, two_days: Path) -> Path:
    """Those two days, for one test to damage."""
    return Path(shutil.copytree(two_days, root))


def verified(root: Path, run_id: str = "") -> Verification:
    journal = SqliteJournal(root)
    found = journal.verify(run_id)
    journal.close()
    return found


@pytest.mark.parametrize("file", [FIRST, SECOND])
@pytest.mark.parametrize(("table", "column"), list(_columns()))
def test_a_changed_value_is_found_in_every_column_of_every_table(
    written: Path, sql: Sql, file: str, table: str, column: str
) -> None:
    changed = f"""CASE typeof({column}) WHEN 'integer' THEN {column} + 1000
        WHEN 'blob' THEN zeroblob(length({column})) ELSE {column} || '1' END"""
    key = {"meta": "name", "records": "position", "runs": "run_id", "open_actions": "action_id"}[table]
    [(one,)] = sql(file, f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {_OFFSET[table]}")
    sql(file, f"UPDATE {table} SET {column} = {changed} WHERE {key} = ?", one)
    problems = verified(written).problems
    assert problems
    assert any(file in problem for problem in problems)


@pytest.mark.parametrize("kind", ["note", "outcome", "nonsense"])
def test_a_kind_that_was_exchanged_is_found(written: Path, sql: Sql, kind: str) -> None:
    sql(FIRST, "UPDATE records SET kind = ? WHERE position = 2", kind)
    assert any("position 2" in p or "seq 2" in p for p in verified(written).problems)


@pytest.mark.parametrize("value", [None, b"\xff", "not json", 7])
def test_a_body_that_is_no_body_any_more_is_found(written: Path, sql: Sql, value: object) -> None:
    sql(FIRST, "PRAGMA ignore_check_constraints = ON")
    try:
        sql(FIRST, "UPDATE records SET body = ? WHERE position = 2", value)
    except sqlite3.IntegrityError:
        assert value is None
        return
    assert verified(written).problems


@pytest.mark.parametrize("position", range(1, 8))
def test_a_removed_record_is_found(written: Path, sql: Sql, position: int) -> None:
    sql(FIRST, "DELETE FROM records WHERE position = ?", position)
    problems = verified(written).problems
    assert any(FIRST in problem for problem in problems)


@pytest.mark.parametrize("file", [FIRST, SECOND])
def test_a_removed_run_is_found(written: Path, sql: Sql, file: str) -> None:
    run_id = "run-0" if file == FIRST else "run-1"
    for table in ("records", "runs", "open_actions"):
        sql(file, f"DELETE FROM {table} WHERE run_id = ?", run_id)
    assert any("removed or moved" in problem for problem in verified(written).problems)


def test_a_cut_off_tail_is_found_by_the_head_that_was_kept(written: Path, sql: Sql) -> None:
    kept = verified(written).head
    sql(SECOND, "DELETE FROM records WHERE position = 14")
    assert any("run-1" in problem for problem in verified(written).problems)
    sql(SECOND, "UPDATE runs SET seq = 3, ended = 0, last_at = last_at, hash ="
        " (SELECT hash FROM records WHERE run_id = 'run-1' AND seq = 3) WHERE run_id = 'run-1'")  # fmt: skip
    found = verified(written)
    assert found.problems == ()
    assert found.head != kept


def test_swapped_records_are_found(written: Path, sql: Sql) -> None:
    sql(FIRST, "UPDATE records SET position = -1 WHERE position = 2")
    sql(FIRST, "UPDATE records SET position = 2 WHERE position = 3")
    sql(FIRST, "UPDATE records SET position = 3 WHERE position = -1")
    assert any("does not follow on the journal's chain" in p for p in verified(written).problems)


def test_a_record_that_was_added_is_found(written: Path, sql: Sql) -> None:
    names = "kind, at, agent, node, action_id, tool, operation, effect, status, body, prev_hash, hash, chain"
    sql(SECOND, f"INSERT INTO records SELECT 15, run_id, 99, {names} FROM records WHERE position = 14")
    assert any("seq 99" in problem for problem in verified(written).problems)


def test_an_open_action_that_was_hidden_or_made_up_is_found(written: Path, sql: Sql) -> None:
    sql(SECOND, "DELETE FROM open_actions WHERE action_id = 'a0'")
    assert any("open actions" in problem for problem in verified(written).problems)
    sql(SECOND, "INSERT INTO open_actions VALUES ('run-a', 'a0', 'intent', 2)")
    assert verified(written).problems == ()
    sql(SECOND, "INSERT INTO open_actions VALUES ('run-z', 'z', 'intent', 999)")
    assert any("run-z" in problem for problem in verified(written).problems)


def test_a_line_in_the_list_of_runs_without_records_is_found(written: Path, sql: Sql) -> None:
    sql(SECOND, "INSERT INTO runs SELECT 'run-z', agent, goal, started_at, last_at, seq, hash, actions,"
        " refused, alerts, ended FROM runs LIMIT 1")  # fmt: skip
    assert any("run-z" in problem for problem in verified(written).problems)


@pytest.mark.parametrize("change", ["segment = '2026-03-13.db'", "seq = seq + 1", "hash = zeroblob(32)"])
def test_a_wrong_index_of_runs_is_found(written: Path, sql: Sql, change: str) -> None:
    sql("runs.db", f"UPDATE heads SET {change} WHERE run_id = 'run-a'")
    assert any("runs.db" in problem for problem in verified(written).problems)


def test_a_missing_file_in_the_middle_is_found(written: Path, draft: Make) -> None:
    journal = SqliteJournal(written)
    journal.append([draft(day=2)])
    journal.close()
    (written / "journal" / SECOND).unlink()
    assert any("does not take over" in problem for problem in verified(written).problems)


def test_a_file_under_another_name_is_found(written: Path) -> None:
    shutil.copy(written / "journal" / SECOND, written / "journal" / "2026-03-16.db")
    assert any("under the name" in problem for problem in verified(written).problems)


def test_a_damaged_file_is_told_and_the_others_are_still_read(written: Path) -> None:
    path = written / "journal" / FIRST
    path.write_bytes(b"not a database at all" * 500)
    found = verified(written)
    assert any(FIRST in problem and "not a database" in problem for problem in found.problems)
    assert found.records == 7


def test_one_run_is_verified_alone(written: Path, sql: Sql) -> None:
    found = verified(written, "run-a")
    assert (found.records, found.runs, found.problems) == (6, 1, ())
    sql(FIRST, "UPDATE records SET tool = 'other' WHERE run_id = 'run-0' AND seq = 1")
    assert verified(written, "run-a").problems == ()
    assert any("run-0, seq 1" in problem for problem in verified(written, "run-0").problems)
    sql(SECOND, "DELETE FROM records WHERE run_id = 'run-a' AND seq = 6")
    assert any("list of runs" in problem for problem in verified(written, "run-a").problems)
    sql(FIRST, "DELETE FROM records WHERE run_id = 'run-a' AND seq = 1")
    assert any("comes after seq 0" in problem for problem in verified(written, "run-a").problems)


def test_a_run_whose_earlier_days_were_emptied_is_found_alone(written: Path, draft: Make, sql: Sql) -> None:
    journal = SqliteJournal(written)
    journal.append([draft(day=2)])
    journal.drop_before(date(2026, 3, 15))
    assert journal.verify("run-a").problems == ()
    journal.close()
    sql(SECOND, "DELETE FROM records WHERE run_id = 'run-a'")
    assert verified(written, "run-a").problems


def test_no_stored_value_stands_in_a_finding(written: Path, sql: Sql) -> None:
    sql(FIRST, "UPDATE records SET body = '{\"secret\": \"hunter2\"}', tool = 'hunter2'")
    assert "hunter2" not in " ".join(verified(written).problems)


def test_beyond_a_hundred_problems_are_only_counted(root: Path, draft: Make, sql: Sql) -> None:
    journal = SqliteJournal(root)
    journal.append([draft() for _ in range(150)])
    journal.close()
    sql(FIRST, "UPDATE records SET agent = 'other'")
    problems = verified(root).problems
    assert len(problems) == 101
    assert "further problems" in problems[-1]
