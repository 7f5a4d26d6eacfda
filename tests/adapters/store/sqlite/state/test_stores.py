"""The state file as a whole: who may read it, what is there after reopening, and what is refused."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.store.sqlite import SqliteState
from clearance.core.model import Agent
from clearance.errors import ConflictError, IntegrityError, StoreError

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def test_another_process_sees_a_new_version_at_once(root: Path) -> None:
    one, other = SqliteState(root), SqliteState(root)
    assert (one.policies.revision(), other.policies.revision()) == (0, 0)
    one.policies.replace({"policies": []}, expected=0, by="ann", at=NOON)
    assert (one.policies.revision(), other.policies.revision()) == (1, 1)
    with pytest.raises(ConflictError):
        other.policies.replace({}, expected=0, by="bob", at=NOON)
    other.policies.replace({}, expected=1, by="bob", at=NOON)
    assert (one.policies.revision(), other.policies.revision()) == (2, 2)
    one.close()
    other.close()


def test_what_was_stored_is_there_after_reopening(root: Path) -> None:
    state = SqliteState(root)
    stored = state.policies.replace({"policies": [1]}, expected=0, by="ann", at=NOON)
    state.agents.add_agent(Agent(name="crm", created_at=NOON))
    before = (state.policies.revision(), state.agents.revision())
    state.close()
    again = SqliteState(root)
    assert again.policies.current() == stored
    assert again.agents.agent("crm") == Agent(name="crm", created_at=NOON)
    assert (again.policies.revision(), again.agents.revision()) == before
    again.close()


def test_the_state_is_readable_by_its_owner_only(root: Path) -> None:
    state = SqliteState(root)
    state.policies.replace({}, expected=0, by="ann", at=NOON)
    files = list(root.iterdir())
    assert {path.name for path in files} == {"state.db", "state.db-wal", "state.db-shm"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    state.close()


@pytest.fixture
def on_state(root: Path, sql: Callable[..., Any]) -> Callable[..., Any]:
    """Runs one statement on the state file, past the stores."""
    SqliteState(root).close()
    (root / "journal").mkdir()
    return lambda statement, *values: sql("../state.db", statement, *values)


def test_a_state_of_a_newer_release_is_refused(root: Path, on_state: Callable[..., Any]) -> None:
    on_state("UPDATE meta SET version = 99")
    with pytest.raises(StoreError, match="Upgrade"):
        SqliteState(root)


def test_a_state_without_a_version_is_refused(root: Path, on_state: Callable[..., Any]) -> None:
    on_state("DELETE FROM meta")
    with pytest.raises(IntegrityError):
        SqliteState(root)


def test_a_line_that_somebody_changed_is_reported_and_not_shown(
    root: Path, on_state: Callable[..., Any]
) -> None:
    on_state("INSERT INTO agents VALUES ('crm', '{\"name\": \"sesame\"}')")
    state = SqliteState(root)
    with pytest.raises(IntegrityError) as raised:
        state.agents.agent("crm")
    assert "sesame" not in str(raised.value)
    state.close()


def test_a_field_of_a_newer_release_is_passed_over(root: Path, on_state: Callable[..., Any]) -> None:
    body = '{"name": "crm", "created_at": "2026-03-14T12:00:00Z", "shoe_size": 44}'
    on_state("INSERT INTO agents VALUES ('crm', ?)", body)
    state = SqliteState(root)
    assert state.agents.agent("crm") == Agent(name="crm", created_at=NOON)
    state.close()


def test_a_closed_state_says_so_as_a_store_error(root: Path) -> None:
    state = SqliteState(root)
    state.close()
    for call in (state.policies.revision, state.agents.agents, lambda: state.agents.agent("crm")):
        with pytest.raises(StoreError):
            call()
    with pytest.raises(StoreError):
        state.agents.add_agent(Agent(name="crm", created_at=NOON))
