"""The guarded session: what it counts, what it keeps, and what it never lets through."""

from __future__ import annotations

from typing import Any

import apsw
import pytest

from clearance.core.model import EffectClass, Operation, Radius, Reversibility, Touch
from clearance.errors import RecoveryError, SystemUnavailableError
from clearance.ports import Session
from tests.adapters.systems.sqlite.conftest import Database, Make

pytestmark = pytest.mark.servers

COUNTS = [
    (
        "DELETE FROM accounts WHERE id = 1",
        {"accounts delete": 1, "entries delete": 2, "lines update": 2, "audit create": 1},
    ),
    (
        "DELETE FROM accounts",
        {"accounts delete": 3, "entries delete": 3, "lines update": 3, "audit create": 3},
    ),
    ("DELETE FROM audit", {}),
    ("DELETE FROM lines", {"lines delete": 3}),
    ("UPDATE accounts SET id = 9 WHERE id = 2", {"accounts update": 1, "entries update": 1}),
    ("UPDATE accounts SET note = note", {"accounts update": 3}),
    ("UPDATE accounts SET balance = 0 FROM entries e WHERE e.account = accounts.id", {"accounts update": 2}),
    ("UPDATE accounts SET balance = 1 WHERE id IN (SELECT id FROM accounts LIMIT 2)", {"accounts update": 2}),
    (
        "INSERT OR REPLACE INTO accounts (id, owner) VALUES (9, 'ann')",
        {
            "accounts delete": 1,
            "accounts create": 1,
            "entries delete": 2,
            "lines update": 2,
            "audit create": 1,
        },
    ),
    (
        "UPDATE OR REPLACE accounts SET owner = 'ann' WHERE id = 2",
        {
            "accounts delete": 1,
            "accounts update": 1,
            "entries delete": 2,
            "lines update": 2,
            "audit create": 1,
        },
    ),
    (
        "INSERT INTO accounts (id) VALUES (1), (7) ON CONFLICT (id) DO UPDATE SET note = 1",
        {"accounts update": 1, "accounts create": 1},
    ),
    ("INSERT OR IGNORE INTO accounts (id) VALUES (1), (7)", {"accounts create": 1}),
    ("INSERT INTO audit SELECT owner FROM accounts a, entries e", {"audit create": 9}),
    ("DELETE FROM accounts WHERE id = 99", {}),
    (
        "WITH old AS (SELECT 3 AS id) DELETE FROM accounts WHERE id IN (SELECT id FROM old)",
        {"accounts delete": 1, "audit create": 1},
    ),
    ("DROP TABLE lines", {"lines delete": 3, "lines ddl": 1}),
    ("ALTER TABLE accounts DROP COLUMN note", {"accounts update": 3, "accounts ddl": 1}),
    ("ALTER TABLE audit ADD COLUMN more", {"audit ddl": 1}),
    ("CREATE TABLE more AS SELECT * FROM accounts", {"more ddl": 1}),
    ("SELECT * FROM accounts JOIN entries ON accounts.id = entries.account", {"accounts, entries read": 3}),
]


def counts(radius: Radius) -> dict[str, int | None]:
    return {f"{touch.resource} {touch.operation.value}": touch.count for touch in radius.touches}


@pytest.mark.parametrize(
    ("sql", "expected", "wal"),
    [(sql, expected, number % 2 == 0) for number, (sql, expected) in enumerate(COUNTS)],
    ids=[sql for sql, _ in COUNTS],
)
def test_every_row_is_counted_and_nothing_is_seen_before_the_commit(
    make: Make, sql: str, expected: dict[str, int], wal: bool
) -> None:
    database = make(wal=wal)
    before = database.dump()
    session = database.session()
    measured = session.attempt(sql, None, snapshot_id="s1")
    assert counts(measured.radius) == expected
    assert database.dump() == before
    session.discard()
    assert database.dump() == before
    assert not session.in_transaction
    assert not database.copies()


@pytest.mark.parametrize(("sql", "expected"), COUNTS, ids=[sql for sql, _ in COUNTS])
@pytest.mark.parametrize("has_changes", [True, False])
def test_the_count_beside_a_copy_is_the_same(
    make: Make, sql: str, expected: dict[str, int], has_changes: bool
) -> None:
    database = make()
    session = database.session(most_rows=0)
    if has_changes:
        session.attempt("UPDATE accounts SET balance = balance", None, snapshot_id="s0")
        session.complete()
    assert counts(session.attempt(sql, None, snapshot_id="s1").radius) == expected
    session.rollback()
    assert not database.copies()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO t SELECT * FROM more", {"t create": 2}),
        ("INSERT INTO t SELECT id, v FROM more WHERE id > 3", {"t create": 1}),
        ("DELETE FROM t", {"t delete": 2}),
        ("UPDATE t SET v = v", {"t update": 2}),
        ("UPDATE t SET id = id + 10", {"t update": 2}),
        ("DELETE FROM v WHERE id = 1", {"t update": 1}),
        ("INSERT INTO t VALUES (1, 2) ON CONFLICT DO NOTHING", {}),
        (
            "INSERT INTO t VALUES (1, 2), (9, 9) ON CONFLICT DO UPDATE SET v = 3",
            {"t create": 1, "t update": 1},
        ),
        ("INSERT INTO own VALUES (1, 'b')", {"own create": 1, "own delete": 2}),
    ],
)
def test_sqlites_own_counter_is_asked_only_where_it_tells_all(
    make: Make, sql: str, expected: dict[str, int]
) -> None:
    database = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE more (id INTEGER PRIMARY KEY, v);"
        "INSERT INTO t VALUES (2, 1), (1, 1); INSERT INTO more VALUES (3, 1), (4, 1);"
        "CREATE TABLE own (id INTEGER PRIMARY KEY ON CONFLICT REPLACE, u UNIQUE ON CONFLICT REPLACE);"
        "INSERT INTO own VALUES (1, 'a'), (2, 'b');"
        "CREATE VIEW v AS SELECT id FROM t;"
        "CREATE TRIGGER gone INSTEAD OF DELETE ON v BEGIN UPDATE t SET v = -1 WHERE id = old.id; END;"
    )
    for most_rows in (100, 0):
        session = database.session(most_rows=most_rows)
        found = counts(session.attempt(sql, None, snapshot_id="s1").radius)
        session.close()
        assert found == expected


def test_a_self_cascade_and_a_trigger_that_touches_its_own_row_are_counted(make: Make) -> None:
    database = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, parent REFERENCES t (id) ON DELETE CASCADE, n DEFAULT 0);"
        "CREATE TRIGGER up AFTER UPDATE OF parent ON t BEGIN UPDATE t SET n = n + 1 WHERE id = new.id; END;"
        "INSERT INTO t (id, parent) VALUES (1, NULL), (2, 1), (3, 2);"
    )
    session = database.session()
    assert counts(session.attempt("DELETE FROM t WHERE id = 1", None, snapshot_id="a").radius) == {
        "t delete": 3
    }
    session.discard()
    assert counts(session.attempt("UPDATE t SET parent = NULL", None, snapshot_id="b").radius) == {
        "t update": 6
    }
    assert session.saved().count == 3


def test_recursive_triggers_and_a_redirecting_view_are_counted(make: Make) -> None:
    database = make(
        "CREATE TABLE n (i INTEGER); CREATE TABLE t (i); CREATE VIEW v AS SELECT i FROM t;"
        "INSERT INTO t VALUES (1), (2);"
        "CREATE TRIGGER again AFTER INSERT ON n WHEN new.i < 5 BEGIN INSERT INTO n VALUES (new.i + 1); END;"
        "CREATE TRIGGER instead INSTEAD OF DELETE ON v BEGIN UPDATE t SET i = -i WHERE i = old.i; END;"
    )
    session = database.session()
    assert counts(session.attempt("INSERT INTO n VALUES (1)", None, snapshot_id="a").radius) == {
        "n create": 5
    }
    session.discard()
    assert counts(session.attempt("DELETE FROM v", None, snapshot_id="b").radius) == {"t update": 2}


def test_the_result_is_a_cursor_with_every_row(database: Database) -> None:
    session = database.session()
    session.attempt("DELETE FROM lines WHERE id > ? RETURNING id, entry", (100,), snapshot_id="s1")
    result = session.complete()
    assert [column[0] for column in result.description or ()] == ["id", "entry"]
    assert result.rowcount == 2
    assert result.fetchone() == (101, 11)
    assert result.fetchmany(5) == [(102, 12)]
    assert result.fetchall() == []
    session.commit()
    session.attempt("INSERT INTO lines (entry) VALUES (:e)", {"e": 10}, snapshot_id="s2")
    assert session.complete().lastrowid == 101


def test_more_than_was_cleared_is_taken_back(database: Database) -> None:
    before = database.dump()
    session = database.session()
    radius = session.attempt("UPDATE accounts SET note = 1 WHERE balance < 2", None, snapshot_id="s1").radius
    assert radius.count == 1
    session.let_go()
    database.run("UPDATE accounts SET balance = 0")
    now = database.dump()
    assert now != before
    assert (
        session.attempt("UPDATE accounts SET note = 1 WHERE balance < 2", None, snapshot_id="s1").radius.count
        == 3
    )
    with pytest.raises(SystemUnavailableError, match="more than was cleared"):
        session.complete(at_most=radius)
    assert not session.in_transaction
    assert database.dump() == now


def test_another_table_than_was_cleared_is_taken_back(database: Database) -> None:
    session = database.session()
    radius = session.attempt("DELETE FROM lines", None, snapshot_id="s1").radius
    session.discard()
    session.attempt("DELETE FROM audit", None, snapshot_id="s1")
    session.complete(at_most=radius)
    session.attempt("INSERT INTO audit VALUES (1)", None, snapshot_id="s2")
    with pytest.raises(SystemUnavailableError, match="not cleared"):
        session.complete(at_most=radius)


def test_nobody_is_locked_out_while_a_person_decides(database: Database) -> None:
    session = database.session()
    session.attempt("DELETE FROM lines", None, snapshot_id="s1")
    with pytest.raises(apsw.BusyError):
        database.run("INSERT INTO audit VALUES ('x')")
    session.let_go()
    database.run("INSERT INTO audit VALUES ('x')")


def test_earlier_changes_are_not_let_go(database: Database) -> None:
    session = database.session()
    session.attempt("DELETE FROM lines", None, snapshot_id="s1")
    session.complete()
    session.attempt("DELETE FROM audit", None, snapshot_id="s2")
    with pytest.raises(SystemUnavailableError, match="earlier changes"):
        session.let_go()
    session.rollback()
    assert len(database.run("SELECT * FROM lines")) == 3


def test_the_drivers_error_is_raised_and_nothing_stays(database: Database) -> None:
    session = database.session()
    before = database.dump()
    with pytest.raises(apsw.ConstraintError):
        session.attempt("INSERT INTO accounts (id) VALUES (1)", None, snapshot_id="s1")
    with pytest.raises(apsw.SQLError):
        session.attempt("SELECT nothing FROM accounts", None, snapshot_id="s1")
    with pytest.raises(apsw.BindingsError):
        session.attempt("DELETE FROM lines WHERE id = ?", (), snapshot_id="s1")
    assert not session.in_transaction
    assert database.dump() == before


def test_a_constraint_that_ends_the_transaction_leaves_a_usable_session(database: Database) -> None:
    session = database.session()
    session.attempt("DELETE FROM lines", None, snapshot_id="s1")
    session.complete()
    with pytest.raises(apsw.ConstraintError):
        session.attempt("INSERT OR ROLLBACK INTO accounts (id) VALUES (1)", None, snapshot_id="s2")
    assert not session.in_transaction
    assert len(database.run("SELECT * FROM lines")) == 3
    session.attempt("DELETE FROM lines WHERE id = 100", None, snapshot_id="s3")
    session.complete()
    session.commit()
    assert len(database.run("SELECT * FROM lines")) == 2


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; DELETE FROM lines",
        "DELETE FROM lines; SELECT 1",
        "ATTACH ':memory:' AS x",
        "VACUUM INTO '/tmp/never.db'",
        "PRAGMA foreign_keys = OFF",
        "SELECT load_extension('x')",
        "COMMIT",
        "DELETE FROM _clearance_images",
        "SELECT * FROM _clearance_images",
    ],
)
def test_what_would_undermine_the_guard_is_not_run(database: Database, sql: str) -> None:
    database.act("UPDATE lines SET entry = NULL")
    before = database.dump()
    session = database.session()
    with pytest.raises(SystemUnavailableError):
        session.attempt(sql, None, snapshot_id="s2")
    session.rollback()
    assert database.dump() == before


def test_what_no_rollback_takes_back_is_run_only_when_it_is_completed(database: Database) -> None:
    session = database.session()
    measured = session.attempt("PRAGMA user_version = 7", None, snapshot_id="s1")
    assert measured.radius.reversibility is Reversibility.NONE
    assert measured.radius.count is None
    assert EffectClass.ADMIN in measured.radius.effects
    assert database.run("PRAGMA user_version") == [(0,)]
    with pytest.raises(RecoveryError):
        session.saved()
    session.complete()
    assert database.run("PRAGMA user_version") == [(7,)]
    for sql in ("VACUUM", "REINDEX", "ANALYZE", "PRAGMA cache_size = 100"):
        session.attempt(sql, None, snapshot_id="s1")
        session.complete()


def test_a_file_that_is_locked_is_unavailable_and_says_what_to_do(database: Database) -> None:
    session = database.session(busy_timeout_seconds=0)
    other = apsw.Connection(str(database.path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SystemUnavailableError, match="busy_timeout_seconds"):
        session.attempt("DELETE FROM lines", None, snapshot_id="s1")
    other.execute("ROLLBACK")
    other.close()
    session.attempt("DELETE FROM lines", None, snapshot_id="s1")


def test_a_missing_file_is_never_made(make: Make) -> None:
    database = make()
    database.path.unlink()
    with pytest.raises(SystemUnavailableError, match="create it first"):
        database.session()
    assert not database.path.exists()


def test_many_rows_are_kept_as_a_copy_and_a_small_limit_says_so(make: Make) -> None:
    database = make(SCHEMA_OF_MANY)
    session = database.session(most_rows=10, most_backup_bytes=0)
    measured = session.attempt("DELETE FROM t", None, snapshot_id="s1")
    assert measured.radius.count == 100
    assert measured.radius.reversibility is Reversibility.NONE
    assert measured.radius.irreversible
    with pytest.raises(RecoveryError, match="most_backup_bytes"):
        session.saved()
    session.discard()
    session.close()
    session = database.session(most_rows=10)
    assert session.attempt("DELETE FROM t", None, snapshot_id="s1").radius.count == 100
    assert session.saved().reversibility is Reversibility.EXACT
    assert len(database.copies()) == 1
    session.rollback()
    assert not database.copies()


SCHEMA_OF_MANY = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, v);"
    "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
    "SELECT i, i FROM n;"
)


def test_an_error_names_no_value(database: Database) -> None:
    session = database.session()
    with pytest.raises(SystemUnavailableError) as raised:
        session.attempt("ATTACH '/secret/4111' AS x", None, snapshot_id="s1")
    assert "4111" not in str(raised.value)


def test_the_session_fits_its_port(database: Database) -> None:
    session: Session = database.session()
    assert session.system == "db"
    assert session.classify("DROP TABLE lines").operation is Operation.DDL


def test_a_sample_names_keys_and_the_resources_name_tables(database: Database) -> None:
    measured = database.session().attempt("DELETE FROM entries WHERE id < 12", None, snapshot_id="s1")
    touch = next(touch for touch in measured.radius.touches if touch.resource == "entries")
    assert touch == Touch(resource="entries", operation=Operation.DELETE, count=2, sample=("10", "11"))
    assert {resource.name for resource in measured.resources} >= {"db/entries", "db/lines"}
    assert measured.operation is Operation.DELETE


def test_a_statement_that_was_prepared_before_is_counted_whole(make: Make) -> None:
    """SQLite empties a table without looking at its rows, where the statement knows of no hook."""
    database = make(SCHEMA_OF_MANY)
    session: Any = database.session()
    for _ in range(3):
        session._connection.execute("EXPLAIN DELETE FROM t").fetchall()
        assert session.attempt("DELETE FROM t", None, snapshot_id="s1").radius.count == 100
        session.discard()
