"""Undo on a real server: every table is as it was, or nothing was changed."""

# ruff: noqa: E501  statements are read more easily on one line

from __future__ import annotations

import pytest

from clearance.core.model import RestoreStatus, Reversibility
from tests.adapters.systems.postgres.conftest import Guarded

pytestmark = pytest.mark.servers

UNDONE = {
    "one row is updated": "UPDATE customers SET name = 'x' WHERE id = 7",
    "every row is updated": "UPDATE orders SET total = total + 1",
    "one row is inserted": "INSERT INTO customers VALUES (500, 'new', 'new@example.org', true, 1)",
    "rows with an identity are inserted": "INSERT INTO orders (customer, total) SELECT 1, 1 FROM generate_series(1, 9)",
    "an identity is overridden": "INSERT INTO orders (id, customer, total) OVERRIDING SYSTEM VALUE VALUES (0, 1, 1)",
    "a deletion cascades over two levels and is audited": "DELETE FROM customers WHERE id <= 20",
    "a deletion sets null and default": "DELETE FROM customers WHERE id = 42",
    "a table deletes from itself": "DELETE FROM tree WHERE id = 2",
    "a circle of deferred keys is deleted": "DELETE FROM hens WHERE id <= 5",
    "a key is updated and cascades": "UPDATE renamed SET id = id + 1000",
    "keys are swapped": "UPDATE customers SET id = CASE id WHEN 98 THEN 99 ELSE 98 END WHERE false",
    "unique values are moved along": "UPDATE customers SET email = 'x' || email",
    "rows move between partitions": "UPDATE events SET kind = 1 + kind % 4",
    "a partition is named directly": "UPDATE events_2 SET body = upper(body)",
    "rows leave partitions of partitions": "DELETE FROM events WHERE kind IN (2, 4)",
    "a table without a key loses duplicates": "DELETE FROM loose WHERE n = 1",
    "a table without a key is updated": 'UPDATE loose SET o = 5, "Odd Name" = 1.1 WHERE a = 1',
    "a table without a key gains rows": "INSERT INTO loose SELECT * FROM loose WHERE n = 0",
    "a merge does three things": """MERGE INTO stock s USING (VALUES ('sku1', 5), ('sku2', 0), ('fresh', 9)) v (sku, n)
        ON s.sku = v.sku WHEN MATCHED AND v.n = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET n = v.n
        WHEN NOT MATCHED THEN INSERT VALUES (v.sku, v.n)""",
    "an upsert inserts and updates": """INSERT INTO stock SELECT 'sku' || i, 1 FROM generate_series(41, 60) i
        ON CONFLICT (sku) DO UPDATE SET n = stock.n + excluded.n""",
    "a trigger updates the same row again": "UPDATE stock SET n = n + 1 WHERE sku < 'sku2'",
    "a trigger turns deletion into an update": "DELETE FROM soft WHERE id < 9",
    "a rule turns deletion into an update": "DELETE FROM ruled WHERE id < 9",
    "a truncation cascades": "TRUNCATE customers CASCADE",
    "a truncation restarts a sequence": "TRUNCATE lines RESTART IDENTITY",
    "partitions are truncated": "TRUNCATE events",
    "a function purges": "SELECT purge(5)",
    "a procedure updates": "CALL bump(2)",
    "a block of code inserts, changes and deletes": """DO $$ BEGIN
        INSERT INTO customers VALUES (900, 'a', 'a@x', false, 1), (901, 'b', 'b@x', false, 1);
        UPDATE customers SET name = 'c' WHERE id >= 900; DELETE FROM customers WHERE id = 901;
        UPDATE customers SET id = 999 WHERE id = 900; DELETE FROM customers WHERE id = 3;
        INSERT INTO customers VALUES (3, 'again', 'c3@example.org', false, 3); END $$""",
    "a WITH writes twice": """WITH gone AS (DELETE FROM lines WHERE id <= 50 RETURNING "order")
        UPDATE orders SET state = 'cut' WHERE id IN (SELECT "order" FROM gone)""",
    "a view is updated": "UPDATE vips SET name = 'vip'",
    "a row is deleted and comes back different in one action": """WITH d AS (DELETE FROM notes WHERE id = 1 RETURNING *)
        INSERT INTO flags SELECT 1000 + id, customer, body FROM d""",
}


@pytest.mark.parametrize("statement", UNDONE.values(), ids=UNDONE)
def test_an_undo_returns_every_row_of_every_table(shop: Guarded, statement: str) -> None:
    before = shop.dump()
    snapshot_id, radius = shop.act(statement)
    after = shop.dump()
    assert radius.reversibility is Reversibility.EXACT, radius
    done = shop.undo(snapshot_id)
    assert done.status is RestoreStatus.RESTORED, done
    assert done.verified
    assert shop.dump() == before
    assert (after == before) == (radius.count == 0)
