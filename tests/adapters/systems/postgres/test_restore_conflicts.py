"""Undo where somebody changed something since: refused whole with nothing changed, or restored around it."""

from __future__ import annotations

import psycopg
import pytest

from clearance.adapters.systems.postgres import install
from clearance.core.model import ItemState, RestoreMode, RestoreStatus
from clearance.errors import NotFoundError, RecoveryError, SystemUnavailableError
from tests.adapters.systems.postgres.conftest import Guarded

pytestmark = pytest.mark.servers

# The action, what somebody else does then, and what the report says of it.
CONFLICTS = {
    "the row was changed since": (
        "UPDATE notes SET body = 'x' WHERE id <= 5",
        "UPDATE notes SET body = 'y' WHERE id = 3",
        ("public.notes", "3", "changed since"),
    ),
    "the row was deleted since": (
        "UPDATE notes SET body = 'x' WHERE id <= 5",
        "DELETE FROM notes WHERE id = 3",
        ("public.notes", "3", "deleted since"),
    ),
    "the key is used again": (
        "DELETE FROM notes WHERE id <= 5",
        "INSERT INTO notes VALUES (2, 2, 'mine')",
        ("public.notes", "2", "its key is used again"),
    ),
    "a unique value is taken": (
        "DELETE FROM customers WHERE id = 50",
        "INSERT INTO customers VALUES (500, 'n', 'c50@example.org')",
        ("public.customers", "50", "a unique value is taken"),
    ),
    "the parent is gone": (
        "DELETE FROM flags WHERE id = 50",
        "DELETE FROM customers WHERE id = 51",
        ("public.flags", "50", "what flags_customer_fkey names is gone"),
    ),
    "an inserted row is referred to": (
        "INSERT INTO customers VALUES (700, 'n', 'e')",
        "INSERT INTO notes VALUES (7000, 700, 'refers')",
        ("public.customers", "700", "notes_customer_fkey of public.notes names it"),
    ),
    "a column was added": (
        "UPDATE notes SET body = 'x' WHERE id = 1",
        "ALTER TABLE notes ADD COLUMN extra int DEFAULT 1",
        ("public.notes", "", "the table's columns were changed since"),
    ),
    "a column was renamed": (
        "UPDATE notes SET body = 'x' WHERE id = 1",
        "ALTER TABLE notes RENAME COLUMN body TO contents",
        ("public.notes", "", "the table's columns were changed since"),
    ),
    "the table was dropped": (
        "UPDATE flags SET flag = 'x' WHERE id = 1",
        "DROP TABLE flags",
        ("relation", "", "the table was dropped since"),
    ),
    "a check was added that refuses the old value": (
        "UPDATE notes SET body = 'x' WHERE id = 1",
        "ALTER TABLE notes ADD CONSTRAINT brief CHECK (id <> 1 OR length(body) < 3)",
        ("public.notes", "1", "the constraint brief refuses it"),
    ),
    "a row without a key is gone": (
        "UPDATE loose SET o = 9 WHERE n = 1",
        "DELETE FROM loose WHERE o = 9",
        ("public.loose", "", ""),
    ),
}


@pytest.mark.parametrize(("action", "since", "told"), CONFLICTS.values(), ids=CONFLICTS)
def test_a_conflict_is_named_and_nothing_is_changed(
    shop: Guarded, action: str, since: str, told: tuple[str, str, str]
) -> None:
    snapshot_id, _ = shop.act(action)
    shop.owner.execute(since)
    between = shop.dump()
    done = shop.undo(snapshot_id)
    assert done.status is RestoreStatus.CONFLICT
    assert (done.restored, done.verified) == (0, False)
    assert done.conflicts > 0
    first = done.items[0]
    assert first.state is ItemState.CONFLICT
    assert first.resource.startswith(told[0])
    assert (first.key, first.why) == told[1:]
    assert shop.dump() == between
    assert shop.undo(snapshot_id).status is RestoreStatus.CONFLICT, (
        "it stays undone once the conflict is gone"
    )


def test_a_change_of_a_neighbour_is_no_conflict(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("UPDATE notes SET body = 'x' WHERE id <= 5")
    shop.owner.execute("UPDATE notes SET body = 'y' WHERE id = 6")
    assert shop.undo(snapshot_id).status is RestoreStatus.RESTORED


def test_a_row_that_is_already_as_before_is_no_conflict(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("UPDATE notes SET body = 'x' WHERE id <= 5")
    shop.owner.execute("UPDATE notes SET body = 'note 3' WHERE id = 3")
    done = shop.undo(snapshot_id)
    assert (done.status, done.restored, done.already) == (RestoreStatus.RESTORED, 4, 1)


def test_what_is_free_of_conflict_is_restored_and_the_rest_can_follow(shop: Guarded) -> None:
    before = shop.dump()
    snapshot_id, _ = shop.act("UPDATE notes SET body = 'x' WHERE id <= 5")
    shop.owner.execute("UPDATE notes SET body = 'y' WHERE id = 3")
    done = shop.undo(snapshot_id, RestoreMode.FREE)
    assert (done.status, done.restored, done.conflicts) == (RestoreStatus.PARTIAL, 4, 1)
    shop.owner.execute("UPDATE notes SET body = 'x' WHERE id = 3")
    done = shop.undo(snapshot_id)
    assert (done.status, done.restored, done.already) == (RestoreStatus.RESTORED, 1, 4)
    assert shop.dump() == before


def test_freed_of_conflicts_a_row_whose_parent_is_in_conflict_stays_out_too(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("DELETE FROM customers WHERE id = 50")
    shop.owner.execute("INSERT INTO customers VALUES (500, 'n', 'c50@example.org')")
    done = shop.undo(snapshot_id, RestoreMode.FREE, exclude=("public.audit",))
    assert done.status is RestoreStatus.PARTIAL
    row = shop.owner.execute("SELECT count(*) FROM orders WHERE customer = 50").fetchone()
    assert row == (0,)


def test_a_plan_changes_nothing_and_tells_the_same_numbers(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("DELETE FROM customers WHERE id <= 3")
    between = shop.dump()
    planned = shop.undo(snapshot_id, RestoreMode.PLAN)
    assert planned.status is RestoreStatus.PLANNED
    assert shop.dump() == between
    assert shop.undo(snapshot_id).restored == planned.restored > 100


def test_a_second_undo_does_nothing(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("DELETE FROM loose WHERE n = 0")
    shop.undo(snapshot_id)
    between = shop.dump()
    assert shop.undo(snapshot_id).status is RestoreStatus.ALREADY_UNDONE
    assert shop.dump() == between


def test_an_undo_can_be_undone_and_undone_again(shop: Guarded) -> None:
    before = shop.dump()
    snapshot_id, _ = shop.act("DELETE FROM customers WHERE id <= 3")
    after, system = shop.dump(), shop.system()
    for number, expected in enumerate([before, after, before, after]):
        done = system.restore(snapshot_id, as_snapshot=f"undo-{number}", mode=RestoreMode.ALL)
        assert done.status is RestoreStatus.RESTORED
        assert shop.dump() == expected
        snapshot_id = f"undo-{number}"


def test_an_action_whose_undo_was_undone_can_be_undone(shop: Guarded) -> None:
    before = shop.dump()
    snapshot_id, _ = shop.act("DELETE FROM notes WHERE id <= 3")
    shop.system().restore(snapshot_id, as_snapshot="undo", mode=RestoreMode.ALL)
    shop.system().restore("undo", as_snapshot="redo", mode=RestoreMode.ALL)
    assert shop.undo(snapshot_id).status is RestoreStatus.RESTORED
    assert shop.dump() == before


def test_overlapping_actions_are_undone_newest_first(shop: Guarded) -> None:
    before = shop.dump()
    first, _ = shop.act("UPDATE stock SET n = n + 1 WHERE n <= 10")
    second, _ = shop.act("UPDATE stock SET n = n * 2 WHERE n BETWEEN 5 AND 20")
    assert shop.undo(first).status is RestoreStatus.CONFLICT
    assert shop.undo(second).status is RestoreStatus.RESTORED
    assert shop.undo(first).status is RestoreStatus.RESTORED
    assert shop.dump() == before


def test_a_table_left_alone_keeps_its_rows(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("DELETE FROM orders WHERE id <= 10")
    done = shop.undo(snapshot_id, exclude=("public.audit",))
    assert (done.status, done.skipped) == (RestoreStatus.RESTORED, 10)
    assert shop.owner.execute("SELECT count(*) FROM audit").fetchone() == (10,)


@pytest.mark.parametrize(
    ("policy", "status", "skipped"),
    [
        ("exact", RestoreStatus.CONFLICT, 0),
        ("report", RestoreStatus.RESTORED, 1),
        ("skip", RestoreStatus.RESTORED, 5),
    ],
)
def test_a_hot_counter_is_treated_as_configured(
    shop: Guarded, policy: str, status: RestoreStatus, skipped: int
) -> None:
    snapshot_id, _ = shop.act("UPDATE notes SET body = 'x' WHERE id <= 5")
    shop.owner.execute("UPDATE notes SET body = 'y' WHERE id = 3")
    done = shop.undo(snapshot_id, counters={"public.notes": policy})
    assert (done.status, done.skipped) == (status, skipped)


def test_a_restarted_sequence_does_not_collide_with_returned_rows(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("TRUNCATE lines RESTART IDENTITY")
    shop.undo(snapshot_id)
    shop.owner.execute('INSERT INTO lines ("order") VALUES (1)')
    assert shop.owner.execute("SELECT max(id) FROM lines").fetchone() == (3001,)


def test_rows_that_were_captured_short_are_never_put_back(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("UPDATE base SET v = 'x'")
    with pytest.raises(RecoveryError, match="captured"):
        shop.undo(snapshot_id)


def test_a_snapshot_that_nobody_took_is_not_found(shop: Guarded) -> None:
    with pytest.raises(NotFoundError):
        shop.undo("nothing")


def test_a_role_that_cannot_silence_triggers_is_told_which_right_it_needs(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("DELETE FROM notes WHERE id = 1")
    shop.owner.execute("DROP ROLE IF EXISTS undoer; CREATE ROLE undoer LOGIN")
    shop.owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO undoer")
    install({"dsn": shop.dsn}, undo_roles=("undoer",))
    undo_dsn = shop.dsn.replace("postgres@", "undoer@")
    with pytest.raises(RecoveryError, match="session_replication_role"):
        shop.undo(snapshot_id, undo_dsn=undo_dsn)
    shop.owner.execute("GRANT SET ON PARAMETER session_replication_role TO undoer")
    assert shop.undo(snapshot_id, undo_dsn=undo_dsn).status is RestoreStatus.RESTORED
    shop.owner.execute("DROP OWNED BY undoer; DROP ROLE undoer")


def test_rows_that_a_policy_hides_from_the_undo_role_are_an_error_and_no_gap(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("UPDATE notes SET body = 'x' WHERE id <= 5")
    shop.owner.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
    shop.owner.execute("DROP ROLE IF EXISTS undoer; CREATE ROLE undoer LOGIN")
    shop.owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO undoer")
    shop.owner.execute("GRANT SET ON PARAMETER session_replication_role TO undoer")
    install({"dsn": shop.dsn}, undo_roles=("undoer",))
    with pytest.raises((RecoveryError, SystemUnavailableError), match="42501"):
        shop.undo(snapshot_id, undo_dsn=shop.dsn.replace("postgres@", "undoer@"))
    shop.owner.execute("DROP OWNED BY undoer; DROP ROLE undoer")


def test_a_value_that_a_deferrable_constraint_keeps_unique_is_not_put_back_twice(shop: Guarded) -> None:
    with psycopg.connect(shop.dsn, autocommit=True) as plain:
        plain.execute("CREATE TABLE seats (id int PRIMARY KEY, seat int UNIQUE INITIALLY DEFERRED)")
        plain.execute("INSERT INTO seats VALUES (1, 1), (2, 2)")
        snapshot, _ = shop.act("UPDATE seats SET seat = 9 WHERE id = 1")
        plain.execute("INSERT INTO seats VALUES (3, 1)")
    before = shop.dump()
    for mode in (RestoreMode.ALL, RestoreMode.FREE):
        with pytest.raises(RecoveryError, match="keeps unique was taken"):
            shop.undo(snapshot, mode)
    assert shop.dump() == before
