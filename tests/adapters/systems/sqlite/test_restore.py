"""Undo: every bit as it was before, or the conflicts by name and nothing changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearance.core.model import ItemState, Restored, RestoreMode, RestoreStatus, Reversibility
from clearance.errors import NotFoundError, RecoveryError
from tests.adapters.systems.sqlite.conftest import SCHEMA, Database, Make

pytestmark = pytest.mark.servers

MANY = (Path(__file__).parent / "many.sql").read_text(encoding="utf-8")
ACTIONS = [
    "DELETE FROM types",
    "UPDATE types SET a = b, b = 7, c = 'x', d = NULL, e = a, f = 1",
    "INSERT INTO types (a) VALUES (1), (2)",
    "DELETE FROM keyless WHERE a = 1",
    "UPDATE keyless SET b = 3",
    "INSERT INTO keyless SELECT * FROM keyless",
    "DELETE FROM nullkey",
    "UPDATE nullkey SET k = 'z' WHERE v = 2",
    "UPDATE nullkey SET k = k || '!', v = NULL",
    "DELETE FROM pair",
    "UPDATE pair SET a = 'X', v = 1 WHERE a = 'x'",
    "UPDATE pair SET b = b + 1",
    "INSERT INTO counted (v) VALUES ('c')",
    "DELETE FROM counted",
    "INSERT INTO counted (id, v) VALUES (100, 'c')",
    "DELETE FROM computed",
    "UPDATE computed SET a = 'r'",
    "UPDATE stored SET a = 'r', z = NULL",
    "DELETE FROM stored",
    "UPDATE swap SET u = CASE id WHEN 1 THEN 'd' ELSE u END",
    "UPDATE swap SET id = id + 10",
    "INSERT OR REPLACE INTO swap VALUES (1, 'b')",
    "UPDATE OR REPLACE swap SET u = 'a' WHERE id = 3",
    'DELETE FROM "odd ""name"',
    'UPDATE "odd ""name" SET rowid = NULL, "t" = 5',
    "DELETE FROM ring_a",
    "DELETE FROM notes WHERE notes MATCH 'one'",
    "INSERT INTO notes VALUES ('three')",
    "DELETE FROM raw",
    "UPDATE raw SET v = 'fine'",
    "DELETE FROM hidden",
    "DROP TABLE types",
    "DROP TABLE notes",
    "DROP TABLE counted",
    "DROP VIEW seen",
    "DROP INDEX by_v",
    "DROP TRIGGER heat",
    "ALTER TABLE types DROP COLUMN c",
    "ALTER TABLE types ADD COLUMN g DEFAULT 5",
    "ALTER TABLE types RENAME TO kinds",
    "ALTER TABLE nullkey RENAME COLUMN v TO w",
    "CREATE TABLE fresh AS SELECT * FROM types",
    "CREATE VIRTUAL TABLE more USING fts5(x)",
    "CREATE INDEX one_more ON types (a)",
]


def restore(
    database: Database, snapshot_id: str, mode: RestoreMode = RestoreMode.ALL, **options: Any
) -> Restored:
    return database.system(**options).restore(snapshot_id, as_snapshot=f"{snapshot_id}'", mode=mode)


@pytest.mark.parametrize(
    ("sql", "wal"), [(sql, number % 3 == 0) for number, sql in enumerate(ACTIONS)], ids=ACTIONS
)
def test_undo_returns_every_bit_and_undo_of_undo_the_change(make: Make, sql: str, wal: bool) -> None:
    database = make(MANY, wal=wal)
    before = database.dump()
    database.act(sql)
    after = database.dump()
    assert after != before
    saved = database.system().verify("s1")
    assert saved.reversibility in (Reversibility.EXACT, Reversibility.CONTENT)
    planned = restore(database, "s1", RestoreMode.PLAN)
    assert (planned.status, planned.conflicts) == (RestoreStatus.PLANNED, 0)
    assert database.dump() == after
    report = restore(database, "s1")
    assert (report.status, report.conflicts, report.verified) == (RestoreStatus.RESTORED, 0, True)
    assert visible(database) == visible_of(before)
    assert restore(database, "s1").status is RestoreStatus.ALREADY_UNDONE
    assert restore(database, "s1'").status is RestoreStatus.RESTORED
    assert visible(database) == visible_of(after)
    assert restore(database, "s1''").status is RestoreStatus.RESTORED
    assert visible(database) == visible_of(before)
    assert database.run("PRAGMA integrity_check(1)") == [("ok",)]


def visible(database: Database) -> dict[str, Any]:
    return visible_of(database.dump())


def visible_of(dump: dict[str, Any]) -> dict[str, Any]:
    """Without the inner pages of a text index, which come back by their rows."""
    return {name: rows for name, rows in dump.items() if not name.startswith(("notes_", "more_"))}


@pytest.mark.parametrize("sql", [*ACTIONS[:8], "DROP TABLE keyless"])
def test_many_rows_come_back_from_a_copy(make: Make, sql: str) -> None:
    database = make(MANY)
    before = database.dump()
    database.act(sql, most_rows=0)
    assert len(database.copies()) == 1
    assert restore(database, "s1").status is RestoreStatus.RESTORED
    assert database.dump() == before


@pytest.mark.parametrize("sql", ["DELETE FROM types", "UPDATE nullkey SET v = 9", "DELETE FROM raw"])
def test_a_copy_is_put_back_after_a_vacuum(make: Make, sql: str) -> None:
    """It moves pages and gives new rowids; the tables hold the same, also texts that are not UTF-8."""
    database = make(MANY)
    before = database.dump()
    database.act(sql, most_rows=0)
    database.run("VACUUM")
    assert restore(database, "s1").status is RestoreStatus.RESTORED
    assert database.dump() == before


@pytest.mark.parametrize("table", ["keyless", "nullkey", "pair", "swap"])
def test_one_row_that_was_changed_among_many_is_named_in_every_kind_of_table(make: Make, table: str) -> None:
    database = make(MANY)
    column = {"keyless": "b", "nullkey": "v", "pair": "v", "swap": "u"}[table]
    database.act(
        f"UPDATE {table} SET {column} = 'mine' || rowid" if table != "pair" else "UPDATE pair SET v = 1"
    )
    count = database.run(f"SELECT count(*) FROM {table}")[0][0]
    where = "a = 'x'" if table == "pair" else "rowid = 2"
    database.run(f"UPDATE {table} SET {column} = 'theirs' WHERE {where}")
    now = database.dump()
    report = restore(database, "s1")
    assert (report.status, report.conflicts, report.skipped) == (RestoreStatus.CONFLICT, 1, count - 1)
    assert report.items[0].why == "changed since"
    assert database.dump() == now
    assert restore(database, "s1", RestoreMode.FREE).restored == count - 1


def test_a_transaction_of_several_statements_comes_back_newest_first(make: Make) -> None:
    database = make()
    before = database.dump()
    session = database.session()
    actions = [
        "DELETE FROM accounts WHERE id = 1",
        "DROP TABLE lines",
        "UPDATE accounts SET owner = 'x' || id",
    ]
    for number, sql in enumerate(actions):
        session.attempt(sql, None, snapshot_id=f"s{number}")
        session.saved()
        session.complete()
    session.commit()
    for number in (2, 1, 0):
        assert restore(database, f"s{number}").status is RestoreStatus.RESTORED
    assert database.dump() == before


CONFLICTS = [
    (
        "UPDATE accounts SET note = 'y' WHERE id = 1",
        "UPDATE accounts SET note = 'z' WHERE id = 1",
        "changed since",
    ),
    ("UPDATE accounts SET note = 'y' WHERE id = 1", "DELETE FROM accounts WHERE id = 1", "removed since"),
    ("DELETE FROM lines WHERE id = 100", "INSERT INTO lines VALUES (100, NULL)", "key was taken"),
    (
        "UPDATE accounts SET owner = 'zoe' WHERE id = 1",
        "UPDATE accounts SET owner = 'ann' WHERE id = 2",
        "unique value",
    ),
    (
        "DELETE FROM entries WHERE id = 12",
        "PRAGMA foreign_keys = ON; DELETE FROM accounts WHERE id = 2",
        "refers to is gone",
    ),
    ("INSERT INTO accounts (id) VALUES (50)", "INSERT INTO entries VALUES (60, 50)", "other rows refer"),
    ("UPDATE lines SET entry = NULL", "ALTER TABLE lines ADD COLUMN more", "columns were changed"),
    ("UPDATE lines SET entry = NULL", "DROP TABLE lines", "table was removed"),
    (
        "UPDATE accounts SET balance = 2 WHERE id = 1",
        "UPDATE accounts SET balance = 2.0 WHERE id = 1",
        "changed since",
    ),
]


@pytest.mark.parametrize(("act", "meanwhile", "why"), CONFLICTS)
def test_a_conflict_is_named_by_its_key_and_changes_nothing(
    make: Make, act: str, meanwhile: str, why: str
) -> None:
    database = make()
    database.act(act)
    database.run(meanwhile)
    now = database.dump()
    report = restore(database, "s1")
    assert report.status is RestoreStatus.CONFLICT
    assert report.restored == 0
    assert report.items[0].state is ItemState.CONFLICT
    assert why in report.items[0].why
    assert database.dump() == now
    assert restore(database, "s1", RestoreMode.PLAN).conflicts == report.conflicts
    assert database.dump() == now


def test_what_is_free_of_conflict_is_restored_when_asked(make: Make) -> None:
    database = make()
    database.act("UPDATE accounts SET note = 'gone'")
    database.run("UPDATE accounts SET note = 'mine' WHERE id = 2")
    report = restore(database, "s1", RestoreMode.FREE)
    assert (report.status, report.restored, report.conflicts) == (RestoreStatus.PARTIAL, 2, 1)
    assert report.items[0].key == "2"
    assert database.run("SELECT note FROM accounts ORDER BY id") == [("x",), ("mine",), ("x",)]


def test_swapped_values_with_one_conflict_leave_the_rest_free(make: Make) -> None:
    database = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')"
    )
    database.act("UPDATE t SET u = u || '!'")
    database.run("UPDATE t SET u = 'a' WHERE id = 2")
    report = restore(database, "s1", RestoreMode.FREE)
    assert (report.restored, report.conflicts) == (1, 2)
    assert database.run("SELECT u FROM t ORDER BY id") == [("a!",), ("a",), ("c",)]


def test_a_row_that_is_as_before_again_is_already_restored(make: Make) -> None:
    database = make()
    database.act("UPDATE accounts SET note = 'y' WHERE id < 3")
    database.run("UPDATE accounts SET note = 'x' WHERE id = 1")
    report = restore(database, "s1")
    assert (report.status, report.restored, report.already) == (RestoreStatus.RESTORED, 1, 1)


def test_a_neighbours_change_is_no_conflict_and_stays(make: Make) -> None:
    database = make()
    database.act("UPDATE accounts SET note = 'y' WHERE id = 1")
    database.run("UPDATE accounts SET note = 'z' WHERE id = 2; INSERT INTO audit VALUES ('later')")
    assert restore(database, "s1").status is RestoreStatus.RESTORED
    assert database.run("SELECT note FROM accounts ORDER BY id") == [("x",), ("z",), ("x",)]
    assert database.run("SELECT * FROM audit") == [("later",)]


def test_a_dropped_table_comes_back_while_others_went_on(make: Make) -> None:
    database = make()
    lines = database.dump()["lines"]
    database.act("DROP TABLE lines")
    database.run("INSERT INTO audit VALUES ('later')")
    assert restore(database, "s1").status is RestoreStatus.RESTORED
    assert database.dump()["lines"] == lines
    assert database.run("SELECT * FROM audit") == [("later",)]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE accounts RENAME TO customers",
        "ALTER TABLE accounts RENAME COLUMN id TO number",
        "ALTER TABLE lines ALTER COLUMN entry SET NOT NULL",
    ],
)
def test_a_table_whose_text_alone_was_rewritten_keeps_its_rows(make: Make, sql: str) -> None:
    """SQLite rewrites the tables and triggers that refer to a renamed one; their rows stay the same."""
    database = make()
    before = database.dump()
    database.act(sql)
    after = database.dump()
    assert after != before
    assert restore(database, "s1").status is RestoreStatus.RESTORED
    assert database.dump() == before
    assert restore(database, "s1'").status is RestoreStatus.RESTORED
    assert database.dump() == after


def test_a_table_that_removes_rows_of_its_own_accord_removes_none_while_rows_are_put_back(make: Make) -> None:
    database = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE ON CONFLICT REPLACE);"
        "INSERT INTO t VALUES (1, 'a'), (2, 'b');"
    )
    database.act("UPDATE t SET u = 'c' WHERE id = 1")
    database.run("INSERT INTO t VALUES (3, 'a')")
    now = database.dump()
    report = restore(database, "s1")
    assert (report.status, report.items[0].key) == (RestoreStatus.CONFLICT, "1")
    assert database.dump() == now


def test_many_rows_with_one_conflict_name_it_and_change_nothing(make: Make) -> None:
    """They are written at once; the one that is refused is told apart all the same."""
    database = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE);"
        "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "SELECT i, 'u' || i FROM n;"
    )
    database.act("DELETE FROM t WHERE id % 2 = 0")
    database.run("INSERT INTO t VALUES (5000, 'u700')")
    now = database.dump()
    report = restore(database, "s1")
    assert (report.status, report.conflicts, report.items[0].key) == (RestoreStatus.CONFLICT, 1, "700")
    assert report.items[0].why.startswith("a unique value")
    assert database.dump() == now
    report = restore(database, "s1", RestoreMode.FREE)
    assert (report.status, report.restored, report.conflicts) == (RestoreStatus.PARTIAL, 999, 1)
    assert database.run("SELECT count(*) FROM t") == [(2000,)]


def test_a_name_that_was_taken_since_is_a_conflict(make: Make) -> None:
    database = make()
    database.act("DROP TABLE lines")
    database.run("CREATE TABLE lines (other)")
    now = database.dump()
    report = restore(database, "s1")
    assert report.status is RestoreStatus.CONFLICT
    assert report.items[0].resource == "lines"
    assert restore(database, "s1", RestoreMode.FREE).status is RestoreStatus.CONFLICT
    assert database.dump() == now


def test_a_table_that_was_changed_since_its_copy_is_a_conflict(make: Make) -> None:
    database = make(MANY)
    database.act("DELETE FROM keyless", most_rows=0)
    database.run("INSERT INTO keyless VALUES (9, 9)")
    now = database.dump()
    report = restore(database, "s1")
    assert (report.status, report.items[0].resource) == (RestoreStatus.CONFLICT, "keyless")
    assert database.dump() == now


def test_no_trigger_fires_while_rows_are_put_back(make: Make) -> None:
    database = make()
    before = database.dump()
    database.act("DELETE FROM accounts WHERE id = 3")
    assert database.run("SELECT count(*) FROM audit") == [(1,)]
    restore(database, "s1")
    restore(database, "s1'")
    assert database.run("SELECT count(*) FROM audit") == [(1,)]
    restore(database, "s1''")
    assert database.dump() == before


def test_the_mark_of_autoincrement_stays_where_others_moved_it(make: Make) -> None:
    database = make(MANY)
    database.act("INSERT INTO counted (v) VALUES ('c')")
    database.run("INSERT INTO counted (v) VALUES ('d')")
    assert restore(database, "s1").status is RestoreStatus.RESTORED
    assert database.run("SELECT seq FROM sqlite_sequence WHERE name = 'counted'") == [(4,)]


def test_rows_of_a_keyless_table_come_back_after_a_vacuum(make: Make) -> None:
    database = make(MANY)
    before = database.dump()["nullkey"]
    database.act("UPDATE nullkey SET v = 9 WHERE k = 'b'")
    database.run("VACUUM")
    assert restore(database, "s1").status is RestoreStatus.RESTORED
    assert database.dump()["nullkey"] == before


def test_an_image_that_was_changed_or_is_missing_is_refused(make: Make) -> None:
    database = make()
    database.act("DELETE FROM lines", snapshot_id="s1")
    database.act("DROP TABLE lines", snapshot_id="s2")
    database.run("UPDATE _clearance_images SET content = content || x'00' WHERE part = 1")
    for snapshot_id in ("s1",):
        with pytest.raises(RecoveryError):
            database.system().verify(snapshot_id)
        with pytest.raises(RecoveryError):
            restore(database, snapshot_id)
    copy = database.copies()[0]
    copy.write_bytes(copy.read_bytes()[:-1] + b"!")
    with pytest.raises(RecoveryError, match="changed since"):
        restore(database, "s2")
    copy.unlink()
    with pytest.raises(RecoveryError):
        database.system().verify("s2")


def test_an_unknown_snapshot_is_not_found(database: Database) -> None:
    with pytest.raises(NotFoundError):
        restore(database, "nothing")
    with pytest.raises(NotFoundError):
        database.system().verify("nothing")


def test_forgetting_removes_every_trace_of_the_images(make: Make) -> None:
    database = make(SCHEMA + "INSERT INTO accounts (owner) VALUES ('erase-me-4711');")
    database.act("DELETE FROM accounts WHERE owner LIKE 'erase%'", snapshot_id="s1")
    database.act("DROP TABLE lines", snapshot_id="s2")
    database.act("DELETE FROM entries", snapshot_id="s3", most_rows=0)
    assert b"erase-me-4711" in database.path.read_bytes()
    for snapshot_id in ("s1", "s2", "s3", "s3"):
        database.system().forget(snapshot_id)
    assert not database.copies()
    assert database.run("SELECT count(*) FROM _clearance_images") == [(0,)]
    with pytest.raises(NotFoundError):
        restore(database, "s1")


def test_a_copy_holds_no_images_of_other_snapshots(make: Make) -> None:
    database = make(SCHEMA + "INSERT INTO accounts (owner) VALUES ('erase-me-4711');")
    database.act("DELETE FROM accounts WHERE owner LIKE 'erase%'", snapshot_id="s1")
    database.act("DROP TABLE lines", snapshot_id="s2")
    found = Database(path=database.copies()[0])
    assert found.run("SELECT count(*) FROM _clearance_images") == [(0,)]
