"""The state file between processes, and what it costs to ask whether it changed."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.store.sqlite import SqliteState
from clearance.errors import ConflictError, StoreError

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def test_another_process_sees_a_new_version_at_once(root: Path) -> None:
    one, other = SqliteState(root), SqliteState(root)
    assert (one.revision(), other.revision()) == (0, 0)
    one.replace({"policies": []}, expected=0, by="ann", at=NOON)
    assert (one.revision(), other.revision()) == (1, 1)
    with pytest.raises(ConflictError):
        other.replace({}, expected=0, by="bob", at=NOON)
    other.replace({}, expected=1, by="bob", at=NOON)
    assert (one.revision(), other.revision()) == (2, 2)
    one.close()
    other.close()


def test_asking_for_the_revision_again_runs_one_statement(root: Path) -> None:
    state = SqliteState(root)
    state.revision()
    statements: list[str] = []
    state._connection.set_trace_callback(statements.append)
    state.revision()
    assert statements == ["PRAGMA data_version"]
    state.close()


def test_what_was_stored_is_there_after_reopening(root: Path) -> None:
    state = SqliteState(root)
    stored = state.replace({"policies": [1]}, expected=0, by="ann", at=NOON)
    state.close()
    again = SqliteState(root)
    assert again.current() == stored
    again.close()


def test_the_state_is_readable_by_its_owner_only(root: Path) -> None:
    state = SqliteState(root)
    state.replace({}, expected=0, by="ann", at=NOON)
    files = list(root.iterdir())
    assert {path.name for path in files} == {"state.db", "state.db-wal", "state.db-shm"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    state.close()


def test_a_state_of_a_newer_release_is_refused(root: Path, sql: Callable[..., Any]) -> None:
    SqliteState(root).close()
    (root / "journal").mkdir()
    sql("../state.db", "UPDATE meta SET version = 99")
    with pytest.raises(StoreError, match="Upgrade"):
        SqliteState(root)


def test_a_closed_state_says_so_as_a_store_error(root: Path) -> None:
    state = SqliteState(root)
    state.close()
    with pytest.raises(StoreError):
        state.revision()
