"""A session that remembers the catalogue notices whatever others altered since, on a real MariaDB."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clearance.adapters.systems.mysql.session import MysqlSession
from clearance.adapters.systems.mysql.system import MysqlSystem
from clearance.core.model import Operation, RestoreMode, RestoreStatus, Reversibility
from tests.adapters.systems.mysql.conftest import Database

pytestmark = pytest.mark.servers
Fresh = Callable[[], str]


def counted(session: MysqlSession, fresh: Fresh, statement: str) -> dict[str, int | None]:
    """What a statement touches, by table; it is taken back and lets go of every lock."""
    touches = session.attempt(statement, None, snapshot_id=fresh()).radius.touches
    session.rollback()
    return {touch.resource.split(".")[1]: touch.count for touch in touches}


@pytest.fixture
def warm(shop: Database, session: MysqlSession, fresh: Fresh) -> Database:
    """The shop, after the session has learned what `notes`, `items` and `orders` are."""
    for _ in range(2):
        assert counted(session, fresh, "DELETE FROM notes WHERE id = 4") == {"notes": 1}
        assert counted(session, fresh, "DELETE FROM items WHERE order_id = 5") == {"items": 1}
        assert counted(session, fresh, "DELETE FROM orders WHERE id = 4") == {"orders": 1}
    return shop


def test_a_cascade_made_since_is_counted(warm: Database, session: MysqlSession, fresh: Fresh) -> None:
    warm.run(
        "CREATE TABLE tags (id INT PRIMARY KEY, note INT,"
        " FOREIGN KEY (note) REFERENCES notes (id) ON DELETE CASCADE)",
        "INSERT INTO tags VALUES (1, 4), (2, 4)",
    )
    try:
        assert counted(session, fresh, "DELETE FROM notes WHERE id = 4") == {"notes": 1, "tags": 2}
    finally:
        session.rollback()
        warm.run("DROP TABLE tags")
    assert counted(session, fresh, "DELETE FROM notes WHERE id = 4") == {"notes": 1}


def test_a_key_that_refers_to_another_column_under_its_old_name_is_noticed(
    warm: Database, session: MysqlSession, fresh: Fresh
) -> None:
    warm.run("CREATE TABLE pins (id INT PRIMARY KEY, a INT, b INT, KEY (a), KEY (b))")
    refers = "ADD CONSTRAINT pin FOREIGN KEY ({}) REFERENCES users (id) ON DELETE CASCADE"
    warm.run(f"ALTER TABLE pins {refers.format('a')}", "INSERT INTO pins VALUES (1, 4, NULL), (2, NULL, 4)")
    try:
        assert counted(session, fresh, "DELETE FROM users WHERE id = 4") == {"users": 1, "pins": 1}
        warm.run("INSERT INTO pins VALUES (3, NULL, 4)", "ALTER TABLE pins DROP FOREIGN KEY pin")
        warm.run(f"ALTER TABLE pins {refers.format('b')}")
        assert counted(session, fresh, "DELETE FROM users WHERE id = 4") == {"users": 1, "pins": 2}
    finally:
        session.rollback()
        warm.run("DROP TABLE pins")


def test_a_trigger_made_since_keeps_the_change_from_running(
    warm: Database, session: MysqlSession, fresh: Fresh
) -> None:
    warm.run("CREATE TRIGGER late AFTER DELETE ON notes FOR EACH ROW INSERT INTO old VALUES (OLD.id, 0)")
    try:
        measured = session.attempt("DELETE FROM notes WHERE id = 4", None, snapshot_id=fresh())
        assert "trigger" in " ".join(measured.radius.unknown)
        assert warm.number("SELECT COUNT(*) FROM old") == 2
    finally:
        session.rollback()
        warm.run("DROP TRIGGER late")


def test_a_table_altered_since_is_kept_in_its_new_shape(
    warm: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    warm.run("ALTER TABLE notes ADD COLUMN more INT DEFAULT 7")
    try:
        before, snapshot = warm.dump(), fresh()
        measured = session.attempt("DELETE FROM notes", None, snapshot_id=snapshot)
        assert measured.radius.reversibility is Reversibility.EXACT
        session.complete()
        session.commit()
        report = system.restore(snapshot, as_snapshot=fresh(), mode=RestoreMode.ALL)
        assert report.status is RestoreStatus.RESTORED
        assert warm.dump() == before
    finally:
        session.rollback()
        warm.run("ALTER TABLE notes DROP COLUMN more")


def test_a_table_moved_to_another_engine_since_does_not_run(
    warm: Database, session: MysqlSession, fresh: Fresh
) -> None:
    assert counted(session, fresh, "DELETE FROM log") == {"log": 0}
    warm.run("ALTER TABLE log ENGINE=MyISAM", "INSERT INTO log VALUES (1)")
    try:
        measured = session.attempt("DELETE FROM log", None, snapshot_id=fresh())
        assert "MyISAM" in " ".join(measured.radius.unknown)
        assert warm.number("SELECT COUNT(*) FROM log") == 1
    finally:
        session.rollback()
        warm.run("ALTER TABLE log ENGINE=InnoDB")


def test_an_earlier_change_of_the_transaction_outlives_a_plan_that_was_stale(
    warm: Database, session: MysqlSession, fresh: Fresh
) -> None:
    session.attempt("DELETE FROM items WHERE order_id = 5", None, snapshot_id=fresh())
    session.complete()
    warm.run("ALTER TABLE notes COMMENT 'altered'")
    session.attempt("DELETE FROM notes WHERE id = 4", None, snapshot_id=fresh())
    session.complete()
    session.commit()
    assert warm.number("SELECT COUNT(*) FROM items WHERE order_id = 5") == 0
    assert warm.number("SELECT COUNT(*) FROM notes WHERE id = 4") == 0


def test_nobody_alters_a_table_while_a_change_of_it_is_open(
    warm: Database, session: MysqlSession, fresh: Fresh
) -> None:
    import pymysql

    session.attempt("DELETE FROM notes WHERE id = 4", None, snapshot_id=fresh())
    warm.run("SET SESSION lock_wait_timeout = 1")
    with pytest.raises(pymysql.err.OperationalError):
        warm.run("CREATE TRIGGER late AFTER DELETE ON notes FOR EACH ROW SET @a = 1")


def test_a_view_that_calls_unread_code_since_is_not_read(
    warm: Database, session: MysqlSession, fresh: Fresh
) -> None:
    warm.run("CREATE VIEW inner_view AS SELECT 1 AS n", "CREATE VIEW outer_view AS SELECT * FROM inner_view")
    for _ in range(2):
        measured = session.attempt("SELECT * FROM outer_view", None, snapshot_id=fresh())
        assert measured.operation is Operation.READ
    session.rollback()
    warm.run(
        "CREATE FUNCTION own() RETURNS INT DETERMINISTIC RETURN 1",
        "CREATE OR REPLACE VIEW inner_view AS SELECT own() AS n",
    )
    measured = session.attempt("SELECT * FROM outer_view", None, snapshot_id=fresh())
    assert measured.operation is Operation.UNKNOWN
    assert measured.radius.count is None


def test_rows_that_alternate_between_two_readings_are_found_out(
    warm: Database, session: MysqlSession, fresh: Fresh
) -> None:
    """As many rows are deleted as were copied, but others: only looking at them tells."""
    session.attempt("SET @turn = 0", None, snapshot_id=fresh())
    session.complete()
    statement = "DELETE FROM notes WHERE (@turn := 1 - @turn) = 1 AND id < 4"
    measured = session.attempt(statement, None, snapshot_id=fresh())
    assert measured.radius.reversibility is Reversibility.NONE
    session.rollback()
