"""What asking for a change costs, and that nobody waits for anybody else's work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clearance.adapters.store.sqlite import SqliteState
from clearance.adapters.store.sqlite.state.database import Database, count_change
from clearance.adapters.store.sqlite.state.schema import AGENTS, BRAKES, VERSION
from clearance.errors import StoreError

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(root: Path) -> Iterator[Database]:
    SqliteState(root).close()
    opened = Database(root / "state.db", busy_seconds=0.2)
    yield opened
    opened.close()


def test_asking_again_runs_one_statement_and_within_one_decision_none(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    database.revision(AGENTS)
    statements: list[str] = []
    database._watch.set_trace_callback(statements.append)
    database.revision(BRAKES)
    assert statements == []
    now[0] += 0.001
    database.revision(AGENTS)
    database.revision(BRAKES)
    assert statements == ["PRAGMA data_version"]


def test_a_change_moves_its_own_topic_only(database: Database) -> None:
    before = (database.revision(AGENTS), database.revision(BRAKES))
    with database.writing("test") as connection:
        count_change(connection, AGENTS)
    assert (database.revision(AGENTS), database.revision(BRAKES)) == (before[0] + 1, before[1])


def test_what_raises_inside_is_taken_back_whole(database: Database) -> None:
    before = database.revision(AGENTS)
    with pytest.raises(ZeroDivisionError), database.writing("test") as connection:
        count_change(connection, AGENTS)
        raise ZeroDivisionError
    assert database.revision(AGENTS) == before
    with database.writing("test") as connection:
        count_change(connection, AGENTS)
    assert database.revision(AGENTS) == before + 1


def test_neither_a_look_nor_a_read_waits_for_a_writer(database: Database) -> None:
    before = database.revision(AGENTS)
    with database.writing("test") as connection:
        count_change(connection, AGENTS)
        assert database.revision(AGENTS) == before
        assert database.rows("SELECT number FROM revisions WHERE topic = ?", AGENTS) == [(before,)]
    assert database.revision(AGENTS) == before + 1


def test_reading_in_many_threads_keeps_few_connections(database: Database) -> None:
    start = threading.Barrier(12)
    seen: list[object] = []

    def read() -> None:
        start.wait()
        for _ in range(20):
            seen.append(database.rows("SELECT version FROM meta"))

    threads = [threading.Thread(target=read) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [[(VERSION,)]] * 240
    assert 1 <= len(database._readers) <= 4


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreError):
        database.rows("DELETE FROM revisions")


def test_a_writer_that_waits_too_long_for_another_process_says_so(root: Path, database: Database) -> None:
    other = Database(root / "state.db", busy_seconds=0.1)
    with (
        database.writing("test"),
        pytest.raises(StoreError, match="locked too long"),
        other.writing("store the agent"),
    ):
        raise AssertionError("two writers at once")
    other.close()
