"""SQL texts: what is judged harmless must be harmless; everything in doubt is UNKNOWN."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.model import Operation
from clearance.core.normalize import UNREADABLE, read_sql

TABLE = yaml.safe_load((Path(__file__).parent / "sql_statements.yaml").read_text(encoding="utf-8"))
STATEMENTS = [(text, Operation(value)) for value, texts in TABLE.items() for text in texts]


@pytest.mark.parametrize(("text", "operation"), STATEMENTS)
def test_a_statement_is_read_as_what_it_does(text: str, operation: Operation) -> None:
    assert read_sql(text).operation is operation


def test_the_table_holds_enough_that_must_stay_unknown() -> None:
    assert len(TABLE["unknown"]) >= 60


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("DELETE FROM Public.USERS", ["public.users"]),
        ('DELETE FROM "Public"."Users" WHERE id IN (SELECT id FROM gone)', ["public.users", "gone"]),
        ("UPDATE users u SET a = 1 FROM other o WHERE o.id = u.id", ["users", "other"]),
        ("INSERT INTO a SELECT * FROM b, c", ["a", "b", "c"]),
        ("DROP TABLE IF EXISTS a, b.c CASCADE", ["a", "b.c"]),
        ("CREATE UNIQUE INDEX i ON t (a)", ["t"]),
        ("TRUNCATE TABLE x", ["x"]),
        (
            "SELECT * FROM users u, (SELECT * FROM a) x JOIN b ON b.i = x.i, c WHERE 1 = 1",
            ["users", "a", "b", "c"],
        ),
        ("SELECT * FROM (a JOIN b ON a.i = b.i), c", ["a", "b", "c"]),
        ("SELECT extract(day FROM created) FROM t", ["t"]),
        ("SELECT a FROM t UNION SELECT b FROM u", ["t", "u"]),
        ("SELECT * FROM %s", [UNREADABLE]),
        ("SELECT 1", []),
        ("MERGE INTO t USING s", [UNREADABLE]),
    ],
)
def test_the_tables_a_statement_names_are_its_resources(text: str, names: list[str]) -> None:
    assert [resource.name for resource in read_sql(text).resources] == names


DANGEROUS = (
    "DELETE FROM users",
    "DROP TABLE users",
    "UPDATE users SET a = 1",
    "CALL f()",
    "COPY t TO PROGRAM 'x'",
)
HIDING = st.sampled_from(
    ["", " ", ";", "; ", "/*", "*/", "/*!", "--", "-- ", "\n", "'", "''", '"', "`", "\\", "$$"]
)


@given(
    prefix=st.lists(HIDING, max_size=6),
    danger=st.sampled_from(DANGEROUS),
    suffix=st.lists(HIDING, max_size=4),
)
def test_a_dangerous_statement_after_a_select_reads_as_harmless_only_inside_one_string_or_comment(
    prefix: list[str], danger: str, suffix: list[str]
) -> None:
    text = f"SELECT 1 {''.join(prefix)} {danger} {''.join(suffix)}"
    if read_sql(text).operation is Operation.READ:
        assert _is_inert(text, danger)


def _is_inert(text: str, danger: str) -> bool:
    """An independent, slower scanner: the danger stands in a comment or a quoted piece, in every dialect."""
    at, end = 0, text.index(danger)
    while at < end:
        rest = text[at:]
        if rest.startswith("--"):
            close = text.find("\n", at)
        elif rest.startswith("/*"):
            close = text.find("*/", at + 2) + 1
        elif rest[0] in "'\"`":
            close = text.find(rest[0], at + 1)
        else:
            at += 1
            continue
        if close < at or close >= end + len(danger):
            return close >= at or rest.startswith("--")
        at = close + 1
    return False


@given(st.text(max_size=200))
def test_any_text_is_read_without_failing(text: str) -> None:
    assert read_sql(text).operation is not None


def test_a_very_long_text_is_unknown_rather_than_slow() -> None:
    assert read_sql("SELECT " + "1," * 100_000 + "1").operation is Operation.UNKNOWN
    assert read_sql("SELECT " + "(" * 40_000 + "1" + ")" * 40_000).operation is Operation.READ
    assert read_sql("SELECT " + "(" * 50_000).operation is Operation.UNKNOWN
    assert read_sql("/*" * 50_000).operation is Operation.UNKNOWN
