"""Every query on the way of an action is answered by an index, however many rows there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clearance.adapters.store.sqlite import SqliteState
from clearance.adapters.store.sqlite.state import agents, brakes, credentials, grants, holds, outbox, people
from clearance.core.model import CredentialKind, HoldStatus
from clearance.ports import HoldQuery

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def connection(root: Path) -> Iterator[sqlite3.Connection]:
    SqliteState(root).close()
    with closing(sqlite3.connect(root / "state.db")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (agents.SELECT, "sqlite_autoindex_agents_1"),
        (credentials.SELECT, "sqlite_autoindex_credentials_1"),
        (credentials.SWEEP, "used_tokens_until"),
        (credentials.listing(None, "crm")[0], "credentials_subject"),
        (credentials.listing(CredentialKind.SESSION, "")[0], "credentials_kind"),
        (credentials.listing(CredentialKind.SESSION, "crm")[0], "credentials_subject"),
        (people.SELECT, "sqlite_autoindex_people_1"),
        (people.OF_IDENTITY, "people_identity"),
        (holds.SELECT, "sqlite_autoindex_holds_1"),
        (holds.OPEN, "holds_open"),
        (holds.OVERDUE, "holds_overdue"),
        (holds.SWAP, "sqlite_autoindex_holds_1"),
        (holds.listing(HoldQuery(before=NOON))[0], "holds_newest"),
        (holds.listing(HoldQuery(status=HoldStatus.PENDING))[0], "holds_status"),
        (holds.listing(HoldQuery(agent="crm"))[0], "holds_agent"),
        (holds.listing(HoldQuery(run_id="run-a"))[0], "holds_run"),
        (grants.SELECT, "sqlite_autoindex_grants_1"),
        (grants.USE, "sqlite_autoindex_grants_1"),
        (grants.MATCHING, "grants_usable"),
        (grants.listing("crm", None)[0], "grants_agent"),
        (grants.listing("", NOON)[0], "grants_valid"),
        (grants.listing("crm", NOON)[0], "grants_agent"),
        (brakes.OPEN_GLASSES, "glasses_ends"),
        (outbox.DUE, "outbox_due"),
    ],
)
def test_a_query_searches_an_index(statement: str, index: str, connection: sqlite3.Connection) -> None:
    values = [None] * statement.count("?")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any(f"INDEX {index}" in step for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan), plan


@pytest.mark.parametrize(
    "statement",
    [holds.OVERDUE, holds.OPEN, holds.listing(HoldQuery())[0], grants.listing("", None)[0], outbox.DUE],
)
def test_a_page_is_read_in_the_order_of_its_index(statement: str, connection: sqlite3.Connection) -> None:
    values = [None] * statement.count("?")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert not any("TEMP B-TREE" in step for step in plan), plan


FILL = (
    "agents SELECT 'agent' || n, '{}'",
    "credentials SELECT 'key' || n, 'agent_key', 'agent' || n, n, '{}'",
    "people SELECT 'person' || n, 'idp', 'subject' || n, '{}'",
    "holds SELECT 'hold' || n, 'pending', 'agent1', 'run', 'call' || n, n, 100 + n, 1, '{}'",
    "holds SELECT 'past' || n, 'expired', 'agent1', 'run', 'call1', n, n, 2, '{}'",
    "grants SELECT 'grant' || n, 'agent' || n, 'tool1', 5, 0, n, 900, NULL, '', '{}'",
    "grants SELECT 'spent' || n, 'agent1', 'tool1', 5, 5, n, 900, NULL, '', '{}'",
    "grants SELECT 'past' || n, 'agent1', 'tool1', 5, 0, n, 9, NULL, '', '{}'",
)


@pytest.mark.parametrize(
    ("statement", "values", "found"),
    [
        (agents.SELECT, ("agent1",), 1),
        (credentials.SELECT, ("key1",), 1),
        (people.OF_IDENTITY, ("idp", "subject1"), 1),
        (holds.OPEN, ("agent1", "run", "call1"), 1),
        (holds.OVERDUE, (101, 200), 1),
        (grants.MATCHING, ("agent1", "tool1", 50), 1),
        (grants.MATCHING, ("nobody", "tool1", 50), 0),
        (grants.USE, ("grant1", 50), 0),
        (outbox.DUE, (50, 10), 0),
    ],
)
def test_a_query_takes_as_many_steps_among_five_thousand_rows_as_among_ten(
    statement: str, values: tuple[object, ...], found: int, connection: sqlite3.Connection
) -> None:
    taken = []
    connection.execute("CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY)")
    for first, last in ((1, 10), (11, 5_000)):
        connection.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(first, last + 1)])
        for fill in FILL:
            connection.execute(f"INSERT INTO {fill} FROM numbers")
        connection.execute("DELETE FROM numbers")
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        connection.set_progress_handler(step, 1)
        assert len(connection.execute(statement, values).fetchall()) == found
        connection.set_progress_handler(None, 0)
        taken.append(steps)
    assert taken[0] == taken[1] > 0
