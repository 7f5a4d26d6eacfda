"""Placeholders: the text that was read is the text that runs, with the driver's own rules."""

from __future__ import annotations

import psycopg
import pytest

from clearance.adapters.systems.postgres.placeholders import assumed, native


@pytest.mark.parametrize(
    ("statement", "parameters", "text", "values"),
    [
        ("SELECT 5 % 3", None, "SELECT 5 % 3", None),
        ("SELECT %s, %b", (1, 2), "SELECT $1, $2", [1, 2]),
        ("SELECT %(a)s, %(b)s, %(a)s", {"a": 1, "b": 2, "c": 3}, "SELECT $1, $2, $1", [1, 2]),
        ("SELECT 5 %% %s", [3], "SELECT 5 % $1", [3]),
        ("SELECT 1", (), "SELECT 1", []),
    ],
)
def test_placeholders_become_the_servers_own(
    statement: str, parameters: object, text: str, values: list[object] | None
) -> None:
    assert native(statement, parameters) == (text, values)


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELECT %s", ()),
        ("SELECT %s", (1, 2)),
        ("SELECT %s", {"a": 1}),
        ("SELECT %s", "text"),
        ("SELECT %(a)s", (1,)),
        ("SELECT %(a)s", {}),
        ("SELECT %(a)s, %s", {"a": 1}),
        ("SELECT 5 % 3", (1,)),
        ("SELECT %d", (1,)),
        ("SELECT %", (1,)),
    ],
)
def test_what_does_not_fit_is_the_drivers_error_and_quotes_nothing(
    statement: str, parameters: object
) -> None:
    with pytest.raises(psycopg.ProgrammingError) as raised:
        native(statement, parameters)
    assert "text" not in str(raised.value)


def test_a_text_without_its_parameters_can_still_be_read() -> None:
    assert assumed("UPDATE t SET a = %s WHERE b = %(b)s AND c %% 2 = 0") == (
        "UPDATE t SET a = $1 WHERE b = $2 AND c % 2 = 0"
    )
