"""The reader of MySQL text against the statements of vectors/statements/mysql.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.core.classify.mysql import (
    Catalogue,
    classify_mysql,
    statements,
    touches_guard,
    transaction_control,
)
from clearance.core.model.effects import Classification, EffectClass
from tests.examples import examples

VECTORS = Path(__file__).parents[3] / "vectors/statements/mysql.yaml"
CASES: list[dict[str, Any]] = yaml.safe_load(VECTORS.read_text(encoding="utf-8"))
IDS = [f"{number}-{case['sql'][:40]}" for number, case in enumerate(CASES)]
MOST_CLOSED = 0.15


def truth(case: dict[str, Any]) -> Classification:
    return Classification(effects=frozenset(EffectClass(name) for name in case["effects"]))


def is_under(found: Classification, true: Classification) -> bool:
    """Judged less than it is: an effect is missing, and nothing says that the text was not read."""
    return not true.effects <= found.effects and EffectClass.UNKNOWN not in found.effects


def is_closed(found: Classification, true: Classification) -> bool:
    return EffectClass.UNKNOWN in found.effects - true.effects


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_no_statement_is_judged_less_than_it_is(case: dict[str, Any]) -> None:
    assert not is_under(classify_mysql(case["sql"]), truth(case))


@pytest.mark.parametrize("case", [case for case in CASES if not case.get("closed")], ids=str)
def test_a_statement_has_its_true_effects_and_no_other(case: dict[str, Any]) -> None:
    found = classify_mysql(case["sql"])
    assert sorted(found.effects) == sorted(case["effects"]), found.unknown


@pytest.mark.parametrize("case", [case for case in CASES if "objects" in case], ids=str)
def test_every_table_is_named_with_what_is_done_to_it(case: dict[str, Any]) -> None:
    found = {named.name: named.operation.value for named in classify_mysql(case["sql"]).objects}
    assert found == case["objects"]


def test_few_statements_stay_closed() -> None:
    closed = [case["sql"] for case in CASES if is_closed(classify_mysql(case["sql"]), truth(case))]
    assert len(closed) / len(CASES) <= MOST_CLOSED, closed


def test_what_is_unknown_says_why_and_quotes_no_value() -> None:
    for case in CASES:
        found = classify_mysql(case["sql"])
        if EffectClass.UNKNOWN in found.effects:
            assert found.unknown, case["sql"]
    assert "secret" not in str(classify_mysql("SELECT f('secret') FROM t WHERE 'secret"))


@pytest.mark.parametrize("depth", [300, 10_000])
def test_deep_nesting_is_unknown_and_not_an_error(depth: int) -> None:
    text = f"SELECT {'(' * depth}1{')' * depth}"
    assert EffectClass.UNKNOWN in classify_mysql(text).effects


def test_a_statement_longer_than_a_megabyte_is_unknown() -> None:
    assert EffectClass.UNKNOWN in classify_mysql("SELECT '" + "x" * 1_000_000 + "'").effects


def test_a_quote_that_ends_only_where_a_comment_runs_is_unknown() -> None:
    assert (
        EffectClass.UNKNOWN in classify_mysql("SELECT 1 /*!99999 ' */ ; DELETE FROM t /*!99999 ' */").effects
    )


def test_a_comment_inside_an_executable_comment_is_unknown() -> None:
    assert EffectClass.UNKNOWN in classify_mysql("/*!50000 SELECT 1 -- */ ; DELETE FROM t").effects


def test_a_blank_that_is_none_of_sql_is_unknown() -> None:
    assert EffectClass.UNKNOWN in classify_mysql("SELECT\u00a01 FROM t").effects


def test_a_view_that_calls_unread_code_is_not_a_read() -> None:
    known = Catalogue(schema="shop", opaque=frozenset({"shop.v"}))
    assert EffectClass.EXEC in classify_mysql("SELECT * FROM v", routines=known).effects
    assert classify_mysql("SELECT * FROM t", routines=known).only_reads


def test_a_reviewed_function_is_a_read() -> None:
    known = Catalogue(harmless=frozenset({"shop.tax"}))
    assert classify_mysql("SELECT shop.tax(1) FROM t", routines=known).only_reads
    assert not classify_mysql("SELECT tax(1) FROM t", routines=known).only_reads


@settings(max_examples=examples(200), deadline=None)
@given(st.text(alphabet="SELCTDROPXabt '\"`/*!#-;()@%,=\n\\\u00a0", max_size=60))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    assert classify_mysql(text).effects


def test_a_text_is_cut_into_its_statements() -> None:
    assert statements("SELECT ';'; -- x\nDELETE FROM t;") == ("SELECT ';'", "DELETE FROM t")
    assert statements("SELECT 1 /*!99999 ; DROP TABLE t */") == ("SELECT 1 /*!99999 ; DROP TABLE t */",)


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ("begin", "begin"),
        ("START TRANSACTION;", "begin"),
        ("COMMIT WORK", "commit"),
        ("rollback /* all */", "rollback"),
        ("ROLLBACK TO SAVEPOINT a", "rollback_to"),
        ("SAVEPOINT `a b`", "savepoint"),
        ("RELEASE SAVEPOINT a", "release"),
        ("COMMIT AND CHAIN", ""),
        ("START TRANSACTION READ ONLY", ""),
        ("BEGIN NOT ATOMIC SELECT 1", ""),
        ("COMMIT; DROP TABLE t", ""),
        ("/*!99999 COMMIT */", ""),
        ("SELECT 1", ""),
    ],
)
def test_transaction_control_is_told_from_other_statements(text: str, control: str) -> None:
    assert transaction_control(text) == control


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM clearance_guard.snapshots",
        "DROP DATABASE `Clearance_Guard`",
        "PREPARE s FROM 'DROP TABLE `clearance_guard`.`snapshots`'",
        "SELECT 1 /*!99999 FROM clearance_guard.snapshots */",
        "SELECT 'open",
    ],
)
def test_the_guards_own_schema_is_noticed(text: str) -> None:
    assert touches_guard(text)


def test_a_mention_of_the_guard_in_a_value_is_none() -> None:
    assert not touches_guard("SELECT 'clearance_guard' AS name FROM t")
