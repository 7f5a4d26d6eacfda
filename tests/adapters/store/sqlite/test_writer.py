"""What an append costs, what it believes, and what it leaves behind when it fails."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from clearance.adapters.store.sqlite import SqliteJournal, files
from clearance.adapters.store.sqlite.writer import _RUNS_KEPT
from clearance.core.model import Draft, Durability
from clearance.errors import StoreError

Make = Callable[..., Draft]
Open = Callable[..., SqliteJournal]


def traced(journal: SqliteJournal, drafts: list[Draft]) -> list[str]:
    """The first words of every statement that one append runs."""
    statements: list[str] = []
    connection = journal._writer._connection
    assert connection is not None
    connection.set_trace_callback(statements.append)
    journal.append(drafts)
    connection.set_trace_callback(None)
    return [" ".join(statement.split()[:3]) for statement in statements]


def test_an_append_runs_the_same_statements_however_much_is_stored(
    journal: SqliteJournal, draft: Make
) -> None:
    journal.append([draft()])
    early = traced(journal, [draft()])
    for number in range(20):
        journal.append(
            [
                draft(f"run-{step}" if step % 2 else "run-a")
                for step in range(number * 100, number * 100 + 100)
            ],
            durability=Durability.PROCESS,
        )
    journal.append([draft()])
    assert traced(journal, [draft()]) == early
    assert early == [
        "BEGIN IMMEDIATE",
        "PRAGMA data_version",
        "INSERT INTO records",
        "INSERT INTO runs",
        "COMMIT",
    ]


def test_every_statement_of_an_append_finds_its_row_by_a_key(journal: SqliteJournal, draft: Make) -> None:
    journal.append([draft()])
    connection = journal._writer._connection
    assert connection is not None
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    journal._writer._forget()
    journal.append([draft("run-new", "intent", action_id="a")])
    connection.set_trace_callback(None)
    lookups = [
        statement
        for statement in statements
        if statement.startswith("SELECT") and "FROM meta" not in statement
    ]
    assert len(lookups) == 3
    for lookup in lookups:
        [plan] = connection.execute(f"EXPLAIN QUERY PLAN {lookup}").fetchall()
        assert "SEARCH" in plan[-1] or "LIMIT 1" in lookup


def test_heads_are_read_anew_only_after_another_has_written(open_journal: Open, draft: Make) -> None:
    mine, theirs = open_journal(), open_journal()
    mine.append([draft()])
    mine.append([draft()])
    assert not any(statement.startswith("SELECT") for statement in traced(mine, [draft()]))
    theirs.append([draft(), draft("run-b")])
    assert sum(statement.startswith("SELECT") for statement in traced(mine, [draft()])) == 3
    assert not any(statement.startswith("SELECT") for statement in traced(mine, [draft()]))
    assert [record.seq for record in mine.run("run-a")] == [1, 2, 3, 4, 5, 6]
    assert not mine.verify().problems


def test_heads_in_memory_are_bounded(journal: SqliteJournal, draft: Make) -> None:
    journal.append([draft()])
    journal.append(
        [draft(f"run-{number}") for number in range(_RUNS_KEPT + 5)], durability=Durability.PROCESS
    )
    assert len(journal._writer._runs) == _RUNS_KEPT
    [record] = journal.append([draft()])
    assert record.seq == 2


def test_a_power_append_syncs_and_a_process_append_does_not(journal: SqliteJournal, draft: Make) -> None:
    def synchronous() -> int:
        assert journal._writer._connection is not None
        level: int = journal._writer._connection.execute("PRAGMA synchronous").fetchone()[0]
        return level

    for _ in range(2):
        journal.append([draft()])
        assert synchronous() == 2
        journal.append([draft()], durability=Durability.PROCESS)
        assert synchronous() == 1


def test_a_full_database_stores_nothing_half_and_goes_on_when_there_is_room(
    journal: SqliteJournal, draft: Make
) -> None:
    journal.append([draft()])
    connection = journal._writer._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 20}")
    with pytest.raises(StoreError, match="disk is full"):
        journal.append([draft(body={"text": "x" * 1000}) for _ in range(500)])
    assert [record.seq for record in journal.run("run-a")] == [1]
    connection.execute("PRAGMA max_page_count=1073741823")
    [record] = journal.append([draft()])
    assert record.seq == 2
    assert not journal.verify().problems


def test_a_log_that_cannot_grow_stores_nothing_half(journal: SqliteJournal, draft: Make, root: Path) -> None:
    journal.append([draft()])
    size = (root / "journal" / "2026-03-14.db-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10_000, hard))
    try:
        with pytest.raises(StoreError, match="space"):
            journal.append([draft(body={"text": "x" * 50_000}), draft("run-b")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.verify().records == 1
    [record] = journal.append([draft()])
    assert record.seq == 2
    assert not journal.verify().problems


def test_a_store_that_stays_locked_is_told_and_used_again_later(
    open_journal: Open, draft: Make, root: Path
) -> None:
    journal = open_journal(busy_seconds=0.05)
    journal.append([draft()])
    with closing(sqlite3.connect(root / "journal" / "2026-03-14.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked too long"):
            journal.append([draft()])
        assert [record.seq for record in journal.run("run-a")] == [1]
    [record] = journal.append([draft()])
    assert record.seq == 2


def test_a_closed_journal_takes_nothing_more(journal: SqliteJournal, draft: Make) -> None:
    journal.append([draft()], durability=Durability.PROCESS)
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.append([draft()])


def test_a_sync_makes_the_newest_log_durable_and_a_rotation_that_of_the_one_it_leaves(
    open_journal: Open, draft: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def spied(descriptor: int) -> None:
        os.fdatasync(descriptor)
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    monkeypatch.setattr(files, "_sync_data", spied)
    journal = open_journal()
    journal.sync()
    assert synced == []
    journal.append([draft(day=0)], durability=Durability.PROCESS)
    journal.sync()
    (first,) = synced
    assert first.startswith("2026-03-14")
    assert first.endswith("-wal")
    journal.append([draft(day=1)], durability=Durability.PROCESS)
    assert synced == [first, first]
    journal.sync()
    assert len(synced) == 3
    assert synced[2] > first


def test_the_first_commit_on_a_segment_waits_for_the_disk_whatever_was_asked(
    open_journal: Open, draft: Make
) -> None:
    """SQLite syncs the directory in which it made the log with that."""
    journal = open_journal()
    writer = journal._writer
    for day in (0, 1):
        journal.append([draft(day=day)], durability=Durability.PROCESS)
        assert writer._full
        journal.append([draft(day=day)], durability=Durability.PROCESS)
        assert not writer._full
