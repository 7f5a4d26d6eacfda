"""Undo on a real MariaDB: exact, refused where others changed something since, once only, itself undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clearance.adapters.systems.mysql.session import MysqlSession
from clearance.adapters.systems.mysql.system import MysqlSystem
from clearance.core.model import ItemState, Operation, Restored, RestoreMode, RestoreStatus, Reversibility
from clearance.errors import NotFoundError, RecoveryError
from tests.adapters.systems.mysql.conftest import Database, request_for

pytestmark = pytest.mark.servers
Fresh = Callable[[], str]

UNDONE = [
    "UPDATE users SET name = CONCAT(name, '!') WHERE id < 3",
    "UPDATE users SET name = NULL, email = CONCAT(id, '@y')",
    "UPDATE users SET email = UPPER(email), name = LOWER(name)",
    "UPDATE users SET code = code + 1 ORDER BY code DESC",
    "UPDATE users SET code = NULL WHERE id = 4",
    "DELETE FROM users WHERE id = 1",
    "DELETE FROM users WHERE id = 0",
    "DELETE FROM users",
    "DELETE FROM folders WHERE id = 2",
    "DELETE FROM folders",
    "DELETE u FROM users u JOIN orders o ON o.user_id = u.id WHERE o.total > 5",
    "DELETE o, i FROM orders o JOIN items i ON i.order_id = o.id",
    "DELETE FROM o USING orders o JOIN users u ON u.id = o.user_id WHERE u.name = 'Bob'",
    "UPDATE orders o JOIN items i ON i.order_id = o.id SET o.total = o.total * 2, i.sku = 'z'",
    "UPDATE users a JOIN users b ON a.id = b.id + 1 SET a.name = b.name",
    "DELETE FROM users WHERE id = (SELECT MAX(id) FROM users)",
    "UPDATE users SET name = 'z' ORDER BY id DESC LIMIT 2",
    "DELETE FROM orders ORDER BY id LIMIT 2",
    "UPDATE IGNORE users SET email = 'same' WHERE id IN (1, 2)",
    "INSERT INTO users (email, name) VALUES ('n1', 'N'), ('n2', NULL)",
    "INSERT INTO users (id, email) VALUES (NULL, 'n3')",
    "INSERT INTO items (order_id, line, sku) VALUES (2, 7, 'x'), (2, 8, 'y')",
    "INSERT INTO notes VALUES (70, 1, 'a;b'), (71, NULL, '--')",
    "UPDATE notes SET body = NOW(6) WHERE id = 1",
    "UPDATE items SET sku = LEFT(UUID(), 20) WHERE line = 1",
    "UPDATE users SET name = (SELECT MAX(total) FROM orders o WHERE o.user_id = users.id)",
]


def change(session: MysqlSession, statement: str, snapshot: str) -> None:
    """Run, keep and commit one change that must be exactly reversible."""
    measured = session.attempt(statement, None, snapshot_id=snapshot)
    assert measured.radius.reversibility is Reversibility.EXACT, measured.radius.irreversible
    assert session.saved().count <= (measured.radius.count or 0)
    session.complete(at_most=measured.radius)
    session.commit()


def undo(system: MysqlSystem, snapshot: str, fresh: Fresh, mode: RestoreMode = RestoreMode.ALL) -> Restored:
    return system.restore(snapshot, as_snapshot=fresh(), mode=mode)


@pytest.mark.parametrize("statement", UNDONE, ids=[one[:60] for one in UNDONE])
def test_an_undone_change_leaves_every_bit_as_it_was(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh, statement: str
) -> None:
    before, snapshot = shop.dump(), fresh()
    change(session, statement, snapshot)
    changed = shop.dump()
    assert changed != before
    back = fresh()
    report = system.restore(snapshot, as_snapshot=back, mode=RestoreMode.ALL)
    assert (report.status, report.conflicts, report.verified) == (RestoreStatus.RESTORED, 0, True)
    assert shop.dump() == before
    assert system.restore(back, as_snapshot=fresh(), mode=RestoreMode.ALL).status is RestoreStatus.RESTORED
    assert shop.dump() == changed


CONFLICTS = [
    ("UPDATE users SET name = 'x' WHERE id < 3", "UPDATE users SET name = 'other' WHERE id = 2", "users 2"),
    ("UPDATE users SET name = 'x' WHERE id < 3", "UPDATE users SET name = 'X' WHERE id = 2", "users 2"),
    ("UPDATE users SET name = 'x' WHERE id = 4", "DELETE FROM users WHERE id = 4", "users 4"),
    ("DELETE FROM users WHERE id = 4", "INSERT INTO users (id, email) VALUES (4, 'new')", "users 4"),
    ("DELETE FROM users WHERE id = 4", "INSERT INTO users (id, email) VALUES (40, 'd@x')", "users 4"),
    ("UPDATE users SET email = 'moved' WHERE id = 4", "INSERT INTO users (email) VALUES ('d@x')", "users 4"),
    ("DELETE FROM orders WHERE id = 4", "DELETE FROM users WHERE id = 3", "orders 4"),
    (
        "INSERT INTO users (id, email) VALUES (50, 'n')",
        "INSERT INTO orders (user_id) VALUES (50)",
        "users 50",
    ),
    ("INSERT INTO notes VALUES (70, NULL, 'a')", "UPDATE notes SET body = 'b' WHERE id = 70", "notes 70"),
    ("UPDATE users SET code = 99 WHERE id = 4", "INSERT INTO badges VALUES (9, 99)", "users 4"),
]


@pytest.mark.parametrize(
    ("statement", "since", "key"), CONFLICTS, ids=[f"{c[0][:35]}-{c[1][:40]}" for c in CONFLICTS]
)
def test_what_others_changed_since_is_named_and_nothing_is_restored(
    shop: Database,
    session: MysqlSession,
    system: MysqlSystem,
    fresh: Fresh,
    statement: str,
    since: str,
    key: str,
) -> None:
    snapshot = fresh()
    change(session, statement, snapshot)
    shop.run(since)
    changed = shop.dump()
    for mode in (RestoreMode.PLAN, RestoreMode.ALL):
        report = undo(system, snapshot, fresh, mode)
        named = [f"{item.resource.split('.')[1]} {item.key}" for item in report.items if item.why]
        assert key in named
        assert report.conflicts == 1
        assert shop.dump() == changed
    assert report.status is RestoreStatus.CONFLICT
    assert (report.restored, report.verified) == (0, False)


def test_what_is_free_of_conflict_is_restored_where_that_is_asked(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    before, snapshot = shop.dump(), fresh()
    change(session, "UPDATE users SET name = 'x'", snapshot)
    shop.run("UPDATE users SET name = 'other' WHERE id = 2")
    report = undo(system, snapshot, fresh, RestoreMode.FREE)
    assert (report.status, report.restored, report.conflicts) == (RestoreStatus.PARTIAL, 4, 1)
    shop.run("UPDATE users SET name = 'Bob' WHERE id = 2")
    assert shop.dump() == before


def test_a_row_whose_parent_is_in_conflict_stays_away_with_it(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    change(session, "DELETE FROM users WHERE id IN (1, 2)", snapshot)
    shop.run("INSERT INTO users (email) VALUES ('b@x')")  # takes the unique value of row 2
    report = undo(system, snapshot, fresh, RestoreMode.FREE)
    conflicts = {
        f"{item.resource.split('.')[1]} {item.key}"
        for item in report.items
        if item.state is ItemState.CONFLICT
    }
    assert conflicts == {"users 2", "orders 3", "items 3, 1", "notes 3", "badges 3"}
    assert shop.number("SELECT COUNT(*) FROM orders WHERE user_id = 1") == 2
    orphans = "SELECT COUNT(*) FROM orders LEFT JOIN users ON users.id = user_id WHERE users.id IS NULL"
    assert shop.number(orphans) == 0


def test_a_plan_changes_nothing_and_says_what_would_be_restored(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    change(session, "DELETE FROM users WHERE id = 1", snapshot)
    changed = shop.dump()
    report = undo(system, snapshot, fresh, RestoreMode.PLAN)
    assert (report.status, report.restored, report.verified) == (RestoreStatus.PLANNED, 10, False)
    assert shop.dump() == changed
    assert undo(system, snapshot, fresh).status is RestoreStatus.RESTORED


def test_a_change_of_a_neighbour_is_no_conflict(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    change(session, "UPDATE users SET name = 'x' WHERE id = 1", snapshot)
    shop.run("UPDATE users SET name = 'other' WHERE id = 2")
    assert undo(system, snapshot, fresh).status is RestoreStatus.RESTORED


def test_what_is_already_as_before_is_told_apart(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    before, snapshot = shop.dump(), fresh()
    change(session, "UPDATE users SET name = 'x' WHERE id IN (1, 2)", snapshot)
    shop.run("UPDATE users SET name = 'Ann' WHERE id = 1")
    report = undo(system, snapshot, fresh)
    assert (report.restored, report.already) == (1, 1)
    assert shop.dump() == before


def test_undoing_twice_does_nothing(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    change(session, "UPDATE users SET name = 'x' WHERE id = 1", snapshot)
    undo(system, snapshot, fresh)
    shop.run("UPDATE users SET name = 'later' WHERE id = 1")
    changed = shop.dump()
    assert undo(system, snapshot, fresh).status is RestoreStatus.ALREADY_UNDONE
    assert shop.dump() == changed


def test_two_changes_of_one_row_are_undone_newest_first(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    before, first, second = shop.dump(), fresh(), fresh()
    change(session, "UPDATE users SET name = 'one' WHERE id = 1", first)
    change(session, "UPDATE users SET name = 'two' WHERE id = 1", second)
    assert undo(system, first, fresh).status is RestoreStatus.CONFLICT
    assert undo(system, second, fresh).status is RestoreStatus.RESTORED
    assert undo(system, first, fresh).status is RestoreStatus.RESTORED
    assert shop.dump() == before


def test_a_table_altered_since_is_refused(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    change(session, "DELETE FROM notes WHERE id = 4", snapshot)
    shop.run("ALTER TABLE notes ADD COLUMN more INT")
    try:
        with pytest.raises(RecoveryError, match="altered"):
            undo(system, snapshot, fresh)
    finally:
        shop.run("ALTER TABLE notes DROP COLUMN more")
    assert undo(system, snapshot, fresh).status is RestoreStatus.RESTORED


def test_a_trigger_made_since_is_refused(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    change(session, "DELETE FROM notes WHERE id = 4", snapshot)
    shop.run("CREATE TRIGGER late BEFORE INSERT ON notes FOR EACH ROW SET NEW.body = 'x'")
    try:
        with pytest.raises(RecoveryError, match="trigger"):
            undo(system, snapshot, fresh)
    finally:
        shop.run("DROP TRIGGER late")


def test_images_that_were_touched_are_noticed(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    change(session, "UPDATE notes SET body = 'x' WHERE id = 1", snapshot)
    assert system.verify(snapshot).count == 1
    image = shop.run(
        "SELECT image, n FROM clearance_guard.snapshot_tables JOIN clearance_guard.snapshots USING (n)"
        f" WHERE snapshot_id = '{snapshot}'"
    ).fetchone()
    assert image is not None
    shop.run(f"UPDATE clearance_guard.{image[0]} SET c2 = 'forged' WHERE n = {image[1]} AND phase = 0")
    with pytest.raises(RecoveryError, match="not as they were saved"):
        system.verify(snapshot)
    with pytest.raises(RecoveryError, match="not as they were saved"):
        undo(system, snapshot, fresh)


def test_a_forgotten_snapshot_is_gone(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    change(session, "UPDATE notes SET body = 'x' WHERE id = 1", snapshot)
    system.forget(snapshot)
    system.forget(snapshot)
    with pytest.raises(NotFoundError):
        system.verify(snapshot)
    with pytest.raises(NotFoundError):
        undo(system, snapshot, fresh)


def test_a_change_that_was_rolled_back_left_no_snapshot(
    shop: Database, session: MysqlSession, system: MysqlSystem, fresh: Fresh
) -> None:
    snapshot = fresh()
    session.attempt("DELETE FROM notes", None, snapshot_id=snapshot)
    session.complete()
    session.rollback()
    with pytest.raises(NotFoundError):
        system.verify(snapshot)


def test_a_snapshot_saved_before_an_action_elsewhere_undoes_it(
    shop: Database, system: MysqlSystem, fresh: Fresh
) -> None:
    before, snapshot = shop.dump(), fresh()
    request = request_for(Operation.DELETE, record_ids=[1, "2"])
    saved = system.save(request, ["users"], snapshot_id=snapshot)
    assert system.save(request, ["users"], snapshot_id=snapshot) == saved
    shop.run("DELETE FROM users WHERE id IN (1, 2)")
    system.settle(snapshot)
    system.settle(snapshot)
    assert undo(system, snapshot, fresh).status is RestoreStatus.RESTORED
    assert shop.dump() == before


def test_a_change_after_settling_is_a_conflict(shop: Database, system: MysqlSystem, fresh: Fresh) -> None:
    snapshot = fresh()
    system.save(
        request_for(Operation.UPDATE, sql="UPDATE users SET name = %s WHERE id = 1", parameters=["x"]),
        ["users"],
        snapshot_id=snapshot,
    )
    shop.run("UPDATE users SET name = 'x' WHERE id = 1")
    system.settle(snapshot)
    shop.run("UPDATE users SET name = 'later' WHERE id = 1")
    assert undo(system, snapshot, fresh).status is RestoreStatus.CONFLICT


@pytest.mark.parametrize(
    ("operation", "arguments", "why"),
    [
        (Operation.DDL, {}, "cannot be saved"),
        (Operation.DELETE, {"sql": "DROP TABLE users"}, "only one UPDATE or DELETE"),
        (Operation.DELETE, {"sql": "DELETE FROM old"}, "MyISAM"),
        (Operation.DELETE, {"record_ids": ["x"]}, "no number"),
        (Operation.DELETE, {"record_ids": [[1, 2]]}, "has 1 parts"),
    ],
)
def test_what_cannot_be_saved_is_refused_with_the_reason(
    shop: Database,
    system: MysqlSystem,
    fresh: Fresh,
    operation: Operation,
    arguments: dict[str, object],
    why: str,
) -> None:
    snapshot = fresh()
    with pytest.raises(RecoveryError, match=why):
        system.save(request_for(operation, **arguments), ["users"], snapshot_id=snapshot)
    with pytest.raises(NotFoundError):
        system.verify(snapshot)
