"""Changes taken apart: the parts that choose rows are the statement's own text."""

from __future__ import annotations

import pytest

from clearance.adapters.systems.mysql.change import Target, take_apart


def test_an_update_keeps_its_references_where_and_tail() -> None:
    found = take_apart(
        "UPDATE LOW_PRIORITY t AS x SET a = 'WHERE', b = (SELECT 1 LIMIT 1) WHERE x.c > 1 ORDER BY id LIMIT 2"
    )
    assert found is not None
    assert (found.references, found.where, found.tail) == ("t AS x", "WHERE x.c > 1", "ORDER BY id LIMIT 2")
    assert found.targets == (Target(alias="x", schema="", table="t"),)
    assert (found.assigned, found.limited, found.several) == ((("", "a"), ("", "b")), True, False)


@pytest.mark.parametrize(
    ("statement", "references"),
    [
        ("DELETE FROM s.t WHERE a = 1", "s.t"),
        ("DELETE x FROM t x JOIN u ON u.a = x.a WHERE u.b = 1", "t x JOIN u ON u.a = x.a"),
        ("DELETE FROM x USING t AS x, u WHERE u.b = 1", "t AS x, u"),
        ("DELETE QUICK FROM t PARTITION (p0)", "t PARTITION (p0)"),
    ],
)
def test_every_form_of_delete_lists_the_tables_it_chooses_from(statement: str, references: str) -> None:
    found = take_apart(statement)
    assert found is not None
    assert found.references == references
    assert [target.table for target in found.targets] == ["t"]


def test_a_derived_table_beside_the_target_may_repeat_its_rows() -> None:
    found = take_apart("UPDATE t, (SELECT id FROM u) x SET t.a = 1 WHERE t.id = x.id")
    assert found is not None
    assert found.several


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM t WHERE RAND() < 1",
        "DELETE t FROM t JOIN u ON uuid() = u.a",
        "DELETE FROM t ORDER BY RAND() LIMIT 1",
    ],
)
def test_a_volatile_choice_is_noticed(statement: str) -> None:
    found = take_apart(statement)
    assert found is not None
    assert found.why_not


def test_a_volatile_value_does_not_choose() -> None:
    found = take_apart("UPDATE t SET a = RAND() WHERE id = 1")
    assert found is not None
    assert not found.why_not


def test_the_cells_of_a_values_list_are_told_apart() -> None:
    found = take_apart("INSERT INTO t (id, a) VALUES (1, 'x,y'), (-2, CONCAT('a', 'b'))")
    assert found is not None
    assert (found.keys, found.values) == (("id", "a"), (("1", "'x,y'"), ("-2", "CONCAT('a', 'b')")))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "DELETE FROM t; DELETE FROM u",
        "DELETE FROM t /*!99999 WHERE a = 1 */",
        "DELETE FROM",
        "DROP TABLE t",
    ],
)
def test_what_is_not_one_plain_change_is_not_taken_apart(statement: str) -> None:
    assert take_apart(statement) is None
