"""What a statement touches, counted by the engine: every table, exactly, held against the rows themselves."""

# ruff: noqa: E501  statements are read more easily on one line

from __future__ import annotations

import pytest

from clearance.core.model import EffectClass, Exactness, Operation, Reversibility
from clearance.errors import RecoveryError, SystemUnavailableError
from tests.adapters.systems.postgres.conftest import Guarded, counted

pytestmark = pytest.mark.servers

COUNTS: dict[str, tuple[str, dict[str, int]]] = {
    "one row": ("UPDATE customers SET name = 'x' WHERE id = 1", {"update public.customers": 1}),
    "no row": ("UPDATE customers SET name = 'x' WHERE id = -1", {}),
    "a change to the same value": (
        "UPDATE customers SET name = name WHERE id < 4",
        {"update public.customers": 3},
    ),
    "two levels of cascade, an audit, null and default": (
        "DELETE FROM customers WHERE id <= 10",
        {
            "delete public.customers": 10,
            "delete public.orders": 100,
            "delete public.lines": 300,
            "update public.notes": 30,
            "update public.flags": 10,
            "create public.audit": 100,
        },
    ),
    "a table that refers to itself": ("DELETE FROM tree WHERE id = 4", {"delete public.tree": 31}),
    "a circle of deferred keys": (
        "DELETE FROM hens WHERE id <= 3",
        {"delete public.hens": 3, "delete public.eggs": 3},
    ),
    "a join that matches repeatedly": (
        "UPDATE customers c SET vip = true FROM orders o WHERE o.customer = c.id AND c.id <= 27",
        {"update public.customers": 27},
    ),
    "a deletion with repeated matches": (
        'DELETE FROM lines USING orders o, orders p WHERE lines."order" = o.id AND p.customer = o.customer AND o.id <= 4',
        {"delete public.lines": 12},
    ),
    "a self join": (
        "UPDATE tree t SET label = 'x' FROM tree p WHERE t.parent = p.id AND p.id <= 3",
        {"update public.tree": 6},
    ),
    "a correlated subquery": (
        "DELETE FROM notes n WHERE EXISTS (SELECT FROM customers c WHERE c.id = n.customer AND c.vip)",
        {"delete public.notes": 30},
    ),
    "a limit in a subquery": (
        "DELETE FROM notes WHERE id IN (SELECT id FROM notes ORDER BY id LIMIT 7)",
        {"delete public.notes": 7},
    ),
    "two writes in one WITH": (
        """WITH gone AS (DELETE FROM lines WHERE id <= 49 RETURNING 1)
           UPDATE orders SET state = 'x' WHERE id <= 19""",
        {"delete public.lines": 49, "update public.orders": 19},
    ),
    "a write in the WITH of a SELECT": (
        "WITH gone AS (DELETE FROM notes WHERE id <= 5 RETURNING id) SELECT count(*) FROM gone",
        {"delete public.notes": 5},
    ),
    "a trigger that skips rows": ("DELETE FROM skipping", {"delete public.skipping": 50}),
    "a trigger that turns deletion into an update": (
        "DELETE FROM soft WHERE id <= 40",
        {"update public.soft": 40},
    ),
    "a rule that turns deletion into an update": ("DELETE FROM ruled", {"update public.ruled": 40}),
    "a trigger that writes the same row": (
        "UPDATE stock SET n = n WHERE n <= 5",
        {"update public.stock": 10},
    ),
    "an upsert": (
        """INSERT INTO stock SELECT 'sku' || i, 1 FROM generate_series(41, 60) i
           ON CONFLICT (sku) DO UPDATE SET n = 0 WHERE stock.n > 45""",
        {"create public.stock": 10, "update public.stock": 10},
    ),
    "a merge": (
        """MERGE INTO customers c USING generate_series(95, 110) i ON c.id = i
           WHEN MATCHED AND i = 95 THEN DO NOTHING WHEN MATCHED THEN UPDATE SET vip = true
           WHEN NOT MATCHED THEN INSERT VALUES (i, 'n', 'e' || i)""",
        {"create public.customers": 10, "update public.customers": 5},
    ),
    "a function": (
        "SELECT purge(1)",
        {
            "delete public.customers": 1,
            "delete public.orders": 10,
            "delete public.lines": 30,
            "update public.notes": 3,
            "update public.flags": 1,
            "create public.audit": 10,
        },
    ),
    "a procedure": ("CALL bump(1)", {"update public.customers": 5}),
    "a block of code": (
        "DO $$ BEGIN UPDATE notes SET body = 'x' WHERE id <= 9; DELETE FROM flags WHERE id <= 2; END $$",
        {"update public.notes": 9, "delete public.flags": 2},
    ),
    "a row changed twice in one block": (
        "DO $$ BEGIN UPDATE notes SET body = 'x' WHERE id = 1; UPDATE notes SET body = 'y' WHERE id = 1; END $$",
        {"update public.notes": 2},
    ),
    "a view": ("UPDATE vips SET name = 'x'", {"update public.customers": 10}),
    "rows that move between partitions": (
        "UPDATE events SET kind = 2 WHERE kind = 1",
        {"update public.events": 100},
    ),
    "rows that move beside rows that stay": (
        "UPDATE events SET kind = 3 WHERE kind IN (1, 3)",
        {"update public.events": 200},
    ),
    "a partition by its own name": ("DELETE FROM events_2", {"delete public.events": 100}),
    "a table with heirs": ("UPDATE base SET v = 'x'", {"update public.base": 10, "update public.heir": 10}),
    "a table without its heirs": ("UPDATE ONLY base SET v = 'x'", {"update public.base": 10}),
    "a key that cascades its update": (
        "UPDATE renamed SET id = 50 WHERE id = 1",
        {"update public.renamed": 1, "update public.refers": 3},
    ),
    "a truncation that cascades": (
        "TRUNCATE customers CASCADE",
        {
            "delete public.customers": 100,
            "delete public.orders": 1000,
            "delete public.lines": 3000,
            "delete public.notes": 300,
            "delete public.flags": 100,
        },
    ),
    "a truncation inside code": ("DO $$ BEGIN TRUNCATE lines; END $$", {"delete public.lines": 3000}),
    "a table dropped": (
        "DROP TABLE lines",
        {"ddl public.lines": 3000, "delete public.lines": 3000, "ddl public.orders": 1000},
    ),
    "a column dropped": ("ALTER TABLE notes DROP COLUMN body", {"ddl public.notes": 300}),
    "a table made from rows": (
        "CREATE TABLE copied AS SELECT * FROM notes",
        {"create public.copied": 300, "ddl public.copied": 0},
    ),
}


@pytest.mark.parametrize(("statement", "truth"), COUNTS.values(), ids=COUNTS)
def test_every_row_of_every_table_is_counted(shop: Guarded, statement: str, truth: dict[str, int]) -> None:
    before, session = shop.dump(), shop.session()
    measured = session.attempt(statement, None, snapshot_id=shop.fresh())
    assert counted(measured.radius) == truth
    assert all(touch.exactness is Exactness.EXACT for touch in measured.radius.touches)
    session.discard()
    assert shop.dump() == before


def test_a_volatile_condition_is_counted_as_it_fell(shop: Guarded) -> None:
    session = shop.session()
    radius = session.attempt("DELETE FROM lines WHERE random() < 0.5", None, snapshot_id="s").radius
    session.complete()
    session.commit()
    row = shop.owner.execute("SELECT 3000 - count(*) FROM lines").fetchone()
    assert row is not None
    assert counted(radius) == {"delete public.lines": row[0]}


def test_rows_of_heirs_are_counted_but_never_called_reversible(shop: Guarded) -> None:
    radius = shop.session().attempt("UPDATE base SET v = 'x'", None, snapshot_id="s").radius
    assert radius.reversibility is Reversibility.NONE


def test_counters_of_an_attempt_that_was_taken_back_are_not_counted_again(shop: Guarded) -> None:
    session = shop.session()
    for _ in range(3):
        radius = session.attempt("DELETE FROM notes WHERE id <= 5", None, snapshot_id=shop.fresh()).radius
        assert counted(radius) == {"delete public.notes": 5}
        session.discard()


def test_an_earlier_statement_of_the_transaction_is_not_counted_again(shop: Guarded) -> None:
    session = shop.session()
    session.attempt("UPDATE notes SET body = 'x'", None, snapshot_id="one")
    session.complete()
    radius = session.attempt("UPDATE notes SET body = 'y' WHERE id = 1", None, snapshot_id="two").radius
    assert counted(radius) == {"update public.notes": 1}
    session.complete()
    session.commit()
    radius = session.attempt("UPDATE notes SET body = 'z' WHERE id <= 2", None, snapshot_id="three").radius
    assert counted(radius) == {"update public.notes": 2}


def test_a_read_is_counted_by_its_rows_and_writes_nothing(shop: Guarded) -> None:
    session = shop.session()
    measured = session.attempt("SELECT * FROM customers WHERE id <= %s", (12,), snapshot_id="s")
    assert measured.operation is Operation.READ
    assert [(touch.resource, touch.count) for touch in measured.radius.touches] == [("public.customers", 12)]
    assert len(session.complete().fetchall()) == 12  # type: ignore[attr-defined]


def test_without_counters_nothing_is_known(shop: Guarded) -> None:
    shop.owner.execute("ALTER DATABASE " + shop.dsn.rsplit("/", 1)[1] + " SET track_counts = off")
    radius = shop.session().attempt("DELETE FROM notes", None, snapshot_id="s").radius
    assert radius.count is None
    assert EffectClass.UNKNOWN in radius.effects
    assert radius.reversibility is Reversibility.NONE


def test_a_sequence_that_moved_is_told_before_the_action_is_kept(shop: Guarded) -> None:
    radius = shop.session().attempt('INSERT INTO lines ("order") VALUES (1)', None, snapshot_id="s").radius
    assert any("lines_id_seq is not set back" in line for line in radius.irreversible)


def test_a_statement_over_the_cap_is_refused_and_taken_back(shop: Guarded) -> None:
    before, session = shop.dump(), shop.session(most_rows=99)
    with pytest.raises(SystemUnavailableError, match="more than 99 rows"):
        session.attempt("DELETE FROM notes", None, snapshot_id="s")
    session.commit()
    assert shop.dump() == before


def test_a_trigger_that_reaches_outside_is_told(shop: Guarded) -> None:
    shop.owner.execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_notify('c', 'x'); RETURN NULL; END $$;"
        "CREATE TRIGGER tell AFTER DELETE ON notes EXECUTE FUNCTION tell()"
    )
    session = shop.session()
    session.attempt("DELETE FROM notes WHERE id = 1", None, snapshot_id="s")
    with pytest.raises(RecoveryError):  # it could not be tried, so nothing was captured yet
        session.saved()
    session.discard()
    assert EffectClass.OUTBOUND in session.classify("DELETE FROM notes WHERE id = 1").effects


def test_writing_a_temporary_table_is_counted_and_not_reversible(shop: Guarded) -> None:
    session = shop.session()
    session.attempt("CREATE TEMPORARY TABLE scratch AS SELECT 1 AS n", None, snapshot_id="one")
    session.complete()
    radius = session.attempt("DELETE FROM scratch", None, snapshot_id="two").radius
    assert radius.reversibility is Reversibility.NONE
    assert radius.count == 1
