"""What a guarded session counts, runs before it is cleared, and refuses, on a real MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest

from clearance.adapters.systems.mysql import open_session
from clearance.adapters.systems.mysql.session import MysqlSession
from clearance.core.model import Exactness, Operation, Reversibility
from clearance.errors import RecoveryError, RequestError, SystemUnavailableError
from tests.adapters.systems.mysql.conftest import Database

pytestmark = pytest.mark.servers
Fresh = Callable[[], str]

COUNTED = [
    ("UPDATE users SET name = 'x' WHERE id < 3", {"users update": 3}),
    ("UPDATE users SET name = name", {"users update": 5}),
    ("UPDATE users SET name = 'x' WHERE id = 99", {"users update": 0}),
    (
        "DELETE FROM users WHERE id = 1",
        {"users delete": 1, "orders delete": 2, "items delete": 3, "notes update": 2, "badges update": 2},
    ),
    (
        "DELETE FROM users",
        {"users delete": 5, "orders delete": 5, "items delete": 5, "notes update": 3, "badges update": 3},
    ),
    ("DELETE FROM orders WHERE total > 100", {"orders delete": 0}),
    ("UPDATE users SET code = code + 100 WHERE id IN (1, 2)", {"users update": 2, "badges update": 3}),
    ("UPDATE users SET code = code WHERE id = 1", {"users update": 1}),
    ("DELETE FROM folders WHERE id = 1", {"folders delete": 4}),
    ("DELETE FROM folders WHERE parent IS NULL", {"folders delete": 6}),
    ("DELETE FROM folders", {"folders delete": 6}),
    (
        "DELETE u FROM users u JOIN orders o ON o.user_id = u.id",
        {"users delete": 4, "orders delete": 5, "items delete": 5, "notes update": 3, "badges update": 3},
    ),
    (
        "DELETE o, i FROM orders o JOIN items i ON i.order_id = o.id WHERE o.id = 1",
        {"orders delete": 1, "items delete": 2, "notes update": 1},
    ),
    (
        "DELETE FROM o USING orders o JOIN users u ON u.id = o.user_id WHERE u.name = 'Bob'",
        {"orders delete": 1, "items delete": 1, "notes update": 1},
    ),
    ("UPDATE orders o JOIN items i ON i.order_id = o.id SET o.total = 0", {"orders update": 4}),
    (
        "UPDATE orders o JOIN users u ON u.id = o.user_id SET o.total = 1, u.name = 'y' WHERE u.id = 1",
        {"orders update": 2, "users update": 1},
    ),
    ("UPDATE users a JOIN users b ON a.id = b.id + 1 SET a.name = b.name", {"users update": 4}),
    ("UPDATE users SET name = 'z' ORDER BY id DESC LIMIT 2", {"users update": 2}),
    ("DELETE FROM notes ORDER BY id LIMIT 3", {"notes delete": 3}),
    (
        "DELETE FROM orders WHERE id IN (SELECT order_id FROM items WHERE line = 2)",
        {"orders delete": 1, "items delete": 2, "notes update": 1},
    ),
    ("DELETE FROM users WHERE id = (SELECT MAX(id) FROM users)", {"users delete": 1}),
    ("UPDATE IGNORE users SET name = 'q' WHERE id = 1", {"users update": 1}),
    ("INSERT INTO users (email) VALUES ('n1'), ('n2')", {"users create": 2}),
    ("INSERT INTO notes VALUES (7, NULL, 'x'), (8, 1, 'y')", {"notes create": 2}),
    ("INSERT INTO notes SELECT id + 100, NULL, 'x' FROM notes", {"notes create": 4}),
    ("SELECT * FROM users WHERE id > 1", {"users read": 3}),
    ("SELECT COUNT(*) FROM users", {"users read": 1}),
    ("UPDATE keyless SET a = 5 WHERE b = 1", {"keyless update": 2}),
]


def counts(session: MysqlSession, database: Database, statement: str, snapshot: str) -> dict[str, int | None]:
    measured = session.attempt(statement, None, snapshot_id=snapshot)
    return {
        f"{touch.resource.removeprefix(database.name + '.')} {touch.operation}": touch.count
        for touch in measured.radius.touches
    }


@pytest.mark.parametrize(("statement", "truth"), COUNTED, ids=[case[0][:60] for case in COUNTED])
def test_a_change_is_counted_exactly_through_every_foreign_key(
    shop: Database, session: MysqlSession, fresh: Fresh, statement: str, truth: dict[str, int]
) -> None:
    before = shop.dump()
    assert counts(session, shop, statement, fresh()) == truth
    session.discard()
    assert shop.dump() == before


def test_a_count_agrees_with_what_is_there_after_the_commit(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    before = shop.dump()
    truth = counts(session, shop, "DELETE FROM users WHERE id IN (1, 2)", fresh())
    session.complete()
    session.commit()
    after = shop.dump()
    for table in ("users", "orders", "items"):
        assert truth[f"{table} delete"] == len(before[table]) - len(after[table])
    for table in ("notes", "badges"):
        assert truth[f"{table} update"] == len(set(before[table]) - set(after[table]))


NOT_KEPT = [
    ("UPDATE users SET id = id + 100 WHERE id = 4", "primary key"),
    ("UPDATE users SET name = 'x' LIMIT 1", "LIMIT"),
    ("DELETE FROM notes ORDER BY body LIMIT 1", "LIMIT"),
    ("DELETE FROM keyless", "no primary key"),
    ("REPLACE INTO users (id, email) VALUES (1, 'a@x')", "cannot be told apart"),
    (
        "INSERT INTO users (id, email) VALUES (1, 'q') ON DUPLICATE KEY UPDATE name = 'x'",
        "cannot be told apart",
    ),
    ("INSERT IGNORE INTO users (id, email) VALUES (1, 'q')", "IGNORE"),
    ("INSERT INTO notes SELECT id + 100, NULL, 'x' FROM notes", "cannot be told by their keys"),
    ("DELETE FROM users WHERE RAND() < 2", "rand()"),
    ("DELETE FROM watched WHERE id = 1", "trigger"),
]


@pytest.mark.parametrize(("statement", "why"), NOT_KEPT, ids=[case[0][:50] for case in NOT_KEPT])
def test_what_cannot_be_undone_runs_behind_the_savepoint_and_says_so(
    shop: Database, session: MysqlSession, fresh: Fresh, statement: str, why: str
) -> None:
    before = shop.dump()
    measured = session.attempt(statement, None, snapshot_id=fresh())
    assert measured.radius.reversibility is Reversibility.NONE
    assert why in " ".join(measured.radius.irreversible)
    with pytest.raises(RecoveryError, match="nothing was kept"):
        session.saved()
    session.discard()
    assert shop.dump() == before


NOT_RUN = [
    ("UPDATE old SET a = 9", "MyISAM", {"old update": 2}),
    ("UPDATE watched SET a = 9", "trigger", {"watched update": 2}),
    ("TRUNCATE users", "rollback", {"users ddl": 5}),
    ("DROP TABLE items, notes", "rollback", {"items ddl": 5, "notes ddl": 4}),
    ("ALTER TABLE users DROP COLUMN name", "rollback", {"users ddl": 5}),
    ("UPDATE users SET name = own() WHERE id = 1", "rollback", {"users update": 1}),
    ("UPDATE seen SET name = 'x'", "view", {"seen update": 5}),
]


@pytest.mark.parametrize(("statement", "why", "truth"), NOT_RUN, ids=[case[0][:50] for case in NOT_RUN])
def test_what_a_rollback_does_not_take_back_is_counted_but_not_run(
    shop: Database, session: MysqlSession, fresh: Fresh, statement: str, why: str, truth: dict[str, int]
) -> None:
    shop.run("CREATE VIEW seen AS SELECT * FROM users")
    before = shop.dump()
    assert counts(session, shop, statement, fresh()) == truth
    measured = session.attempt(statement, None, snapshot_id=fresh())
    assert why in " ".join((*measured.radius.irreversible, *measured.radius.unknown))
    assert shop.dump() == before
    session.discard()
    assert shop.dump() == before


def test_a_drop_runs_once_it_is_cleared(shop: Database, session: MysqlSession, fresh: Fresh) -> None:
    measured = session.attempt("DROP TABLE keyless", None, snapshot_id=fresh())
    assert measured.operation is Operation.DDL
    session.complete(at_most=measured.radius)
    assert "keyless" not in shop.dump()


def test_a_drop_that_would_commit_earlier_changes_is_refused(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    session.attempt("UPDATE users SET name = 'x'", None, snapshot_id=fresh())
    session.complete()
    session.attempt("DROP TABLE keyless", None, snapshot_id=fresh())
    with pytest.raises(SystemUnavailableError, match="commit or roll back first"):
        session.complete()
    session.rollback()
    assert shop.number("SELECT COUNT(*) FROM users WHERE name = 'x'") == 0
    assert shop.number("SELECT COUNT(*) FROM keyless") == 3


@pytest.mark.parametrize(
    "statement",
    [
        "SET sql_mode = 'ANSI_QUOTES'",
        "SET @a = 1, foreign_key_checks = 0",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
        "USE mysql",
        "LOCK TABLES users WRITE",
        "PREPARE s FROM 'DROP TABLE users'",
        "EXECUTE IMMEDIATE 'DROP TABLE users'",
        "START TRANSACTION READ ONLY",
        "CREATE TEMPORARY TABLE users (id INT)",
        "DELETE FROM clearance_guard.snapshots",
        "SELECT 1; DROP TABLE users",
        "UPDATE users SET name = 1 /*!99999 , code = 2 */",
    ],
)
def test_a_statement_against_the_guard_itself_never_runs(
    shop: Database, session: MysqlSession, fresh: Fresh, statement: str
) -> None:
    before = shop.dump()
    session.attempt(statement, None, snapshot_id=fresh())
    with pytest.raises(SystemUnavailableError, match="not run"):
        session.complete()
    assert shop.dump() == before


def test_a_user_variable_may_be_set_and_the_character_set_named_again(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    for statement in ("SET @a = 7", "SET NAMES utf8mb4"):
        session.attempt(statement, None, snapshot_id=fresh())
        session.complete()
    session.attempt("SELECT @a", None, snapshot_id=fresh())
    cursor = session.complete()
    assert isinstance(cursor, pymysql.cursors.Cursor)
    assert cursor.fetchall() == ((7,),)


def test_more_rows_than_approved_are_taken_back(shop: Database, session: MysqlSession, fresh: Fresh) -> None:
    approved = session.attempt("DELETE FROM notes WHERE id > 2", None, snapshot_id=fresh()).radius
    session.let_go()
    shop.run("INSERT INTO notes VALUES (50, NULL, 'new')")
    before = shop.dump()
    session.attempt("DELETE FROM notes WHERE id > 2", None, snapshot_id=fresh())
    with pytest.raises(SystemUnavailableError, match="3 now, 2 approved"):
        session.complete(at_most=approved)
    session.commit()
    assert shop.dump() == before


def test_a_table_that_was_not_approved_is_noticed(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    approved = session.attempt("DELETE FROM users WHERE id = 4", None, snapshot_id=fresh()).radius
    session.let_go()
    shop.run("INSERT INTO badges VALUES (9, 14)")
    session.attempt("DELETE FROM users WHERE id = 4", None, snapshot_id=fresh())
    with pytest.raises(SystemUnavailableError, match="badges was not among"):
        session.complete(at_most=approved)


def test_an_approval_for_another_server_is_refused(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    import msgspec

    approved = session.attempt("DELETE FROM notes", None, snapshot_id=fresh()).radius
    with pytest.raises(SystemUnavailableError, match="another server"):
        session.complete(at_most=msgspec.structs.replace(approved, fingerprint="mysql:other/shop"))


def test_rows_added_to_a_table_before_a_truncate_are_noticed(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    approved = session.attempt("TRUNCATE log", None, snapshot_id=fresh()).radius
    shop.run("INSERT INTO log VALUES (1)")
    with pytest.raises(SystemUnavailableError, match="log"):
        session.complete(at_most=approved)
    assert shop.number("SELECT COUNT(*) FROM log") == 1


def test_nobody_waits_for_a_statement_that_was_let_go(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    session.attempt("UPDATE users SET name = 'x'", None, snapshot_id=fresh())
    session.let_go()
    shop.run("SET SESSION innodb_lock_wait_timeout = 1", "UPDATE users SET name = 'y' WHERE id = 1")


def test_letting_go_refuses_to_lose_earlier_changes(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    session.attempt("UPDATE users SET name = 'x' WHERE id = 1", None, snapshot_id=fresh())
    session.complete()
    session.attempt("DELETE FROM notes", None, snapshot_id=fresh())
    with pytest.raises(SystemUnavailableError, match="earlier changes"):
        session.let_go()
    session.commit()
    assert shop.number("SELECT COUNT(*) FROM users WHERE name = 'x'") == 1
    assert shop.number("SELECT COUNT(*) FROM notes") == 4


def test_a_lock_of_somebody_else_is_told_without_the_statement(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    shop.run("BEGIN", "UPDATE users SET name = 'held' WHERE id = 1")
    with pytest.raises(SystemUnavailableError, match="lock") as caught:
        session.attempt("UPDATE users SET name = 'secret' WHERE id = 1", None, snapshot_id=fresh())
    assert "secret" not in str(caught.value)
    shop.run("ROLLBACK")
    session.attempt("UPDATE users SET name = 'fine' WHERE id = 1", None, snapshot_id=fresh())


def test_a_deadlock_says_that_the_whole_transaction_is_gone(
    shop: Database, session: MysqlSession, place: str, tmp_path: Path, fresh: Fresh
) -> None:
    import threading

    other = open_session("shop", {"dsn": place, "lock_timeout_seconds": 20}, images=tmp_path)
    mine = open_session("shop", {"dsn": place, "lock_timeout_seconds": 20}, images=tmp_path)
    for guarded, row in ((mine, 1), (other, 2)):
        guarded.attempt(f"UPDATE users SET name = 'd' WHERE id = {row}", None, snapshot_id=fresh())
        guarded.complete()
    told: list[str] = []

    def cross(guarded: MysqlSession, row: int) -> None:
        try:
            guarded.attempt(f"UPDATE users SET name = 'e' WHERE id = {row}", None, snapshot_id=fresh())
            guarded.complete()
            guarded.commit()
        except SystemUnavailableError as error:
            told.append(str(error))
            assert not guarded.in_transaction

    threads = [
        threading.Thread(target=cross, args=(mine, 2)),
        threading.Thread(target=cross, args=(other, 1)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(told) == 1
    assert "whole transaction" in told[0]
    mine.close()
    other.close()


def test_an_error_of_the_statement_is_the_drivers_own_and_leaves_the_transaction(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    session.attempt("UPDATE users SET name = 'kept' WHERE id = 1", None, snapshot_id=fresh())
    session.complete()
    with pytest.raises(pymysql.err.IntegrityError):
        session.attempt("INSERT INTO users (email) VALUES ('a@x')", None, snapshot_id=fresh())
    session.commit()
    assert shop.number("SELECT COUNT(*) FROM users WHERE name = 'kept'") == 1


def test_parameters_are_the_drivers_and_are_judged_as_they_are_sent(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    measured = session.attempt(
        "UPDATE users SET name = %(name)s WHERE id = %(id)s",
        {"name": "O'\\Neil; --", "id": 1},
        snapshot_id=fresh(),
    )
    assert measured.radius.count == 1
    session.complete()
    session.commit()
    assert shop.run("SELECT name FROM users WHERE id = 1").fetchone() == ("O'\\Neil; --",)


def test_a_placeholder_inside_quotes_cannot_smuggle_a_statement_in(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    before = shop.dump()
    measured = session.attempt("SELECT '%s'", ("; DELETE FROM users; -- ",), snapshot_id=fresh())
    assert measured.operation is not Operation.READ
    session.discard()
    assert shop.dump() == before


def test_the_last_drawn_number_is_still_the_agents_own(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    session.attempt("INSERT INTO users (email) VALUES ('n')", None, snapshot_id=fresh())
    inserted = session.complete()
    assert isinstance(inserted, pymysql.cursors.Cursor)
    session.attempt(
        "INSERT INTO orders (user_id, total) VALUES (LAST_INSERT_ID(), 3)", None, snapshot_id=fresh()
    )
    session.complete()
    session.commit()
    assert shop.number(f"SELECT COUNT(*) FROM orders WHERE user_id = {inserted.lastrowid}") == 1


def test_more_rows_than_may_be_kept_are_counted_but_not_kept(
    shop: Database, place: str, tmp_path: Path, fresh: Fresh
) -> None:
    small = open_session("shop", {"dsn": place, "most_rows": 3}, images=tmp_path)
    measured = small.attempt("UPDATE users SET name = 'x'", None, snapshot_id=fresh())
    assert measured.radius.count == 5
    assert "most_rows" in " ".join(measured.radius.irreversible)
    small.close()


def test_a_view_on_unread_code_is_not_run_as_a_read(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    shop.run(
        "CREATE FUNCTION own() RETURNS INT DETERMINISTIC RETURN 1",
        "CREATE VIEW inner_view AS SELECT own() AS n",
        "CREATE VIEW outer_view AS SELECT * FROM inner_view",
    )
    measured = session.attempt("SELECT * FROM outer_view", None, snapshot_id=fresh())
    assert measured.operation is Operation.UNKNOWN
    assert measured.radius.count is None


def test_a_cascade_into_another_database_is_counted(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    other = f"{shop.name}_other"
    shop.run(
        f"CREATE DATABASE {other}",
        f"CREATE TABLE {other}.far (id INT PRIMARY KEY, user_id INT,"
        f" FOREIGN KEY (user_id) REFERENCES {shop.name}.users (id) ON DELETE CASCADE)",
        f"INSERT INTO {other}.far VALUES (1, 4), (2, 4)",
    )
    try:
        found = counts(session, shop, "DELETE FROM users WHERE id = 4", fresh())
        assert found == {"users delete": 1, f"{other}.far delete": 2}
    finally:
        session.rollback()
        shop.run(f"DROP DATABASE {other}")


@pytest.mark.parametrize(
    "text",
    ["BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT mine", "ROLLBACK TO SAVEPOINT mine"],
)
def test_a_transaction_is_not_begun_or_ended_by_a_text(
    shop: Database, session: MysqlSession, fresh: Fresh, text: str
) -> None:
    session.attempt("UPDATE users SET name = 'one' WHERE id = 1", None, snapshot_id=fresh())
    session.complete()
    with pytest.raises(RequestError):
        session.attempt(text, None, snapshot_id=fresh())
    session.rollback()
    assert shop.run("SELECT name FROM users WHERE id = 1").fetchone() != ("one",)


def test_a_count_that_is_not_known_is_not_zero(shop: Database, session: MysqlSession, fresh: Fresh) -> None:
    measured = session.attempt("REPLACE INTO users (id, email) VALUES (1, 'a@x')", None, snapshot_id=fresh())
    assert measured.radius.count is None
    assert {touch.exactness for touch in measured.radius.touches} == {Exactness.BOUND, Exactness.UNKNOWN}


def test_a_row_lock_that_was_read_stays_when_a_later_attempt_is_taken_back(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    session.attempt("SELECT * FROM users WHERE id = 1 FOR UPDATE", None, snapshot_id=fresh())
    session.complete()
    session.attempt("UPDATE users SET name = 'x' WHERE id = 2", None, snapshot_id=fresh())
    session.discard()
    shop.run("SET SESSION innodb_lock_wait_timeout = 1")
    with pytest.raises(pymysql.err.OperationalError):
        shop.run("UPDATE users SET name = 'y' WHERE id = 1")


def test_two_sessions_change_other_rows_of_one_table_without_waiting(
    shop: Database, session: MysqlSession, place: str, tmp_path: Path, fresh: Fresh
) -> None:
    other = open_session("shop", {"dsn": place, "lock_timeout_seconds": 1}, images=tmp_path)
    for guarded, row in ((session, 1), (other, 2), (session, 3), (other, 4)):
        guarded.attempt(f"UPDATE users SET name = 'n' WHERE id = {row}", None, snapshot_id=fresh())
        guarded.complete()
    session.commit()
    other.commit()
    other.close()
    assert shop.number("SELECT COUNT(*) FROM users WHERE name = 'n'") == 4


def test_code_that_was_not_read_does_not_run_for_a_count(
    shop: Database, session: MysqlSession, fresh: Fresh
) -> None:
    shop.run(
        "CREATE TABLE calls (n INT) ENGINE = InnoDB",
        "CREATE FUNCTION sneaky(x INT) RETURNS INT MODIFIES SQL DATA"
        " BEGIN INSERT INTO calls VALUES (x); RETURN 1; END",
        "CREATE VIEW sneaking AS SELECT id, name FROM users WHERE sneaky(id) = 1",
    )
    for text in ("DELETE FROM users WHERE sneaky(id) = 1", "UPDATE sneaking SET name = 'x'"):
        measured = session.attempt(text, None, snapshot_id=fresh())
        assert measured.radius.count is None
        session.discard()
        session.rollback()
    assert shop.run("SELECT COUNT(*) FROM calls").fetchone() == (0,)
