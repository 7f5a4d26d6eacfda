"""What goes wrong outside comes out as a StoreError that says what to do."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clearance.adapters.store.sqlite.failures import translated
from clearance.errors import StoreError


def test_a_read_only_file_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    told = r"try it: .*make it writable.*SQLITE_READONLY"
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection,
        pytest.raises(StoreError, match=told),
        translated("try it"),
    ):
        connection.execute("INSERT INTO t VALUES (1)")


def test_an_error_without_advice_names_its_code_and_no_value() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(StoreError, match=r"\[SQLITE_ERROR\]") as caught,
        translated("try it"),
    ):
        connection.execute("SELECT nonsense('hunter2')")
    assert "hunter2" not in str(caught.value)


def test_an_error_of_the_file_system_is_told_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file") as caught, translated("try it"):
        (tmp_path / "none").read_text()
    assert str(tmp_path) not in str(caught.value)
