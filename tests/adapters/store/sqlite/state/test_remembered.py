"""What is remembered, for how long, and that no end of a credential is missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from clearance.adapters.store.sqlite import SqliteState
from clearance.adapters.store.sqlite.state.database import Database, count_change
from clearance.adapters.store.sqlite.state.remembered import Remembered
from clearance.adapters.store.sqlite.state.schema import AGENTS
from clearance.core.model import Agent, AgentStatus, Credential, CredentialKind, Person

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
KEY = Credential(
    credential_id="k1",
    kind=CredentialKind.AGENT_KEY,
    subject="crm",
    secret_hash="ab" * 32,
    created_at=NOON,
)


@pytest.fixture
def states(root: Path) -> Iterator[tuple[SqliteState, SqliteState]]:
    """One directory opened twice, as two processes would."""
    opened = SqliteState(root), SqliteState(root)
    yield opened
    for state in opened:
        state.close()


def test_a_key_that_is_known_is_found_without_reading_its_row(
    states: tuple[SqliteState, SqliteState], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = states
    here.credentials.add_credential(KEY)
    assert here.credentials.credential("k1") == KEY
    here.credentials.add_credential(replace(KEY, credential_id="k2"))
    monkeypatch.setattr(here.credentials._database, "rows", lambda *_: pytest.fail("read the row"))
    assert here.credentials.credential("k1") == KEY


def test_a_key_that_another_process_revokes_is_revoked_for_the_next_call(
    states: tuple[SqliteState, SqliteState],
) -> None:
    here, there = states
    here.credentials.add_credential(KEY)
    assert here.credentials.credential("k1") == KEY
    there.credentials.revoke_credential("k1", NOON)
    assert here.credentials.credential("k1") == replace(KEY, revoked_at=NOON)
    here.credentials.add_credential(replace(KEY, credential_id="k2"))
    assert here.credentials.credential("k2") is not None
    there.credentials.expire_credential("k2", NOON)
    assert here.credentials.credential("k2") == replace(KEY, credential_id="k2", expires_at=NOON)


def test_what_another_process_changes_in_agents_and_people_is_seen_by_the_next_call(
    states: tuple[SqliteState, SqliteState],
) -> None:
    here, there = states
    agent, person = Agent(name="crm", created_at=NOON), Person(name="ann", created_at=NOON)
    here.agents.add_agent(agent)
    here.people.add_person(person)
    assert (here.agents.agent("crm"), here.people.person("ann")) == (agent, person)
    retired, gone = replace(agent, status=AgentStatus.RETIRED), replace(person, is_active=False)
    there.agents.replace_agent(retired)
    there.people.replace_person(gone)
    assert (here.agents.agent("crm"), here.people.person("ann")) == (retired, gone)


@pytest.fixture
def database(root: Path) -> Iterator[Database]:
    SqliteState(root).close()
    opened = Database(root / "state.db", busy_seconds=1)
    yield opened
    opened.close()


def test_past_its_bound_what_was_asked_for_longest_ago_is_let_go(database: Database) -> None:
    read: list[str] = []
    remembered = Remembered(database, AGENTS, read=lambda name: read.append(name) or name, most=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert remembered.get(name) == name
    assert read == ["a", "b", "c", "b"]
    assert len(remembered._values) == 2


def test_what_is_not_there_takes_up_no_room(database: Database) -> None:
    remembered: Remembered[str] = Remembered(database, AGENTS, read=lambda name: None)
    assert remembered.get("a") is None
    assert not remembered._values


def test_a_value_that_was_overtaken_while_it_was_read_is_not_kept(database: Database) -> None:
    values = ["old", "new"]

    def read(_: str) -> str:
        value = values.pop(0)
        if value == "old":  # somebody changes it just after it was read
            with database.writing("test") as connection:
                count_change(connection, AGENTS)
        return value

    remembered: Remembered[str] = Remembered(database, AGENTS, read=read)
    assert remembered.get("a") == "old"
    assert remembered.get("a") == "new"
