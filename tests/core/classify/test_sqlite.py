"""SQLite by its text alone, over the corpus and at its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.classify.sqlite import classify_sqlite
from clearance.core.model import Classification, EffectClass, Operation

CORPUS = yaml.safe_load(
    (Path(__file__).parents[3] / "vectors/statements/sqlite.yaml").read_text(encoding="utf-8")
)
STATEMENTS: list[dict[str, Any]] = CORPUS["statements"]
# Of the others only the schema tells; the engine's reading is tested on those.
BY_TEXT = [case for case in STATEMENTS if not case.get("engine_only")]


def is_under(found: Classification, truth: list[str]) -> bool:
    """Something that happens was not said, and nothing was said to be unknown."""
    effects = {EffectClass(name) for name in truth}
    if EffectClass.UNKNOWN in found.effects:
        return False
    return not effects <= found.effects


def test_the_corpus_is_large_enough_and_says_why() -> None:
    assert len(STATEMENTS) >= 50
    assert all(case["note"] and case["effects"] for case in STATEMENTS)
    assert sum(case.get("held_out", False) for case in STATEMENTS) >= 10


@pytest.mark.parametrize("case", BY_TEXT, ids=lambda case: case["sql"][:40])
def test_no_statement_is_judged_less_than_it_is_by_its_text(case: dict[str, Any]) -> None:
    found = classify_sqlite(case["sql"])
    assert not is_under(found, case["effects"]), found


def test_the_text_alone_leaves_few_statements_unread() -> None:
    known = [case for case in STATEMENTS if "unknown" not in case["effects"]]
    closed = [case["sql"] for case in known if EffectClass.UNKNOWN in classify_sqlite(case["sql"]).effects]
    assert len(closed) <= 0.15 * len(known), closed


def test_what_the_text_cannot_tell_is_at_least_no_reading() -> None:
    for case in STATEMENTS:
        if case.get("engine_only"):
            assert classify_sqlite(case["sql"]).operation not in (Operation.READ,), case["sql"]


WORDS = """SELECT INSERT OR REPLACE INTO UPDATE DELETE FROM WITH AS ( ) , ; . CREATE TEMP UNIQUE TABLE TRIGGER
VIRTUAL BEGIN END DROP EXPLAIN QUERY PLAN PRAGMA = x 'y' 1 "z" SET VALUES RETURNING"""


@given(st.text(max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    assert classify_sqlite(text).effects


@given(
    st.lists(
        st.sampled_from(WORDS.split()),
        max_size=9,
    )
)
def test_no_heap_of_its_words_makes_it_raise(words: list[str]) -> None:
    assert classify_sqlite(" ".join(words)).effects


@pytest.mark.parametrize(
    "text", ["SELECT " + "(" * 10_000 + "1" + ")" * 10_000, "SELECT '" + "x" * 2_000_000 + "'"]
)
def test_depth_and_length_neither_crash_nor_pass_unread(text: str) -> None:
    found = classify_sqlite(text)
    assert EffectClass.UNKNOWN in found.effects or found.effects == {EffectClass.READ}


def test_a_nul_ends_the_reading_of_a_text_and_is_unknown() -> None:
    assert EffectClass.UNKNOWN in classify_sqlite("SELECT 1 \x00; DROP TABLE t").effects


def test_no_literal_reaches_what_is_said_of_a_statement() -> None:
    found = classify_sqlite("INSERT INTO t VALUES (foo('4111-1111'))")
    assert "4111" not in repr(found)
