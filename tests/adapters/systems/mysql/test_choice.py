"""Which conditions surely choose the same rows twice."""

from __future__ import annotations

import pytest

from clearance.adapters.systems.mysql.catalogue import Column, Table
from clearance.adapters.systems.mysql.change import take_apart
from clearance.adapters.systems.mysql.choice import is_by_key, is_plain


def column(name: str) -> Column:
    return Column(name=name, type="int", base="int", charset="", collation="", generated=False)


TABLE = Table(
    name=("s", "t"),
    kind="BASE TABLE",
    engine="InnoDB",
    columns=(column("id"), column("a"), column("sleep")),
    key=("id",),
    counts="",
    triggers=frozenset(),
)


@pytest.mark.parametrize(
    ("statement", "plain", "by_key"),
    [
        ("UPDATE t SET a = 1", True, True),
        ("UPDATE t SET a = 1 WHERE id BETWEEN 1 AND 5", True, True),
        ("UPDATE t SET a = RAND() WHERE `id` IN (1, 2) OR NOT (id > 7)", True, True),
        ("UPDATE t SET a = 1 WHERE a = 'x' AND id > 1", True, False),
        ("UPDATE t SET a = 1 WHERE id > 1 ORDER BY id LIMIT 3", True, False),
        ("UPDATE t SET a = 1 WHERE sleep(1)", False, False),
        ("UPDATE t SET a = 1 WHERE sleep = 1", True, False),
        ("UPDATE t SET a = 1 WHERE RAND() < 1", False, False),
        ("UPDATE t SET a = 1 WHERE id = @n", False, False),
        ("UPDATE t SET a = 1 WHERE (@n := @n + 1) < 3", False, False),
        ("UPDATE t SET a = 1 WHERE id IN (SELECT id FROM u)", False, False),
        ("UPDATE IGNORE t SET a = 1 WHERE id = 1", False, False),
        ("UPDATE t JOIN u ON u.id = t.id SET t.a = 1 WHERE t.id = 1", False, False),
        ("UPDATE t SET a = 1 WHERE id = other", False, False),
    ],
)
def test_only_comparisons_of_own_columns_with_constants_are_plain(
    statement: str, plain: bool, by_key: bool
) -> None:
    change = take_apart(statement)
    assert change is not None
    assert (is_plain(change, TABLE), is_by_key(change, TABLE)) == (plain, by_key)
