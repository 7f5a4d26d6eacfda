"""Opening and closing: what lies where, who may read it, and what is refused."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.store.sqlite import SqliteJournal
from clearance.core.model import Draft
from clearance.errors import IntegrityError, StoreError

Make = Callable[..., Draft]
Sql = Callable[..., list[tuple[Any, ...]]]


def test_only_the_owner_may_read_what_is_stored(journal: SqliteJournal, draft: Make, root: Path) -> None:
    journal.append([draft()])
    journal.append([draft(day=1)])
    directories = [root, *(path for path in root.rglob("*") if path.is_dir())]
    files = [path for path in root.rglob("*") if path.is_file()]
    assert {path.name for path in directories} == {"store", "journal", "nodes"}
    assert {"2026-03-14.db", "2026-03-15.db", "2026-03-15.db-wal", "runs.db", f"{journal.node}.lock"} <= {
        path.name for path in files
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in directories} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_closed_journal_leaves_whole_files_and_no_lock(
    journal: SqliteJournal, draft: Make, root: Path
) -> None:
    journal.append([draft()])
    journal.close()
    names = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert names == {"journal/2026-03-14.db", "journal/runs.db"}


def test_a_sealed_file_stands_alone(journal: SqliteJournal, draft: Make, root: Path) -> None:
    journal.append([draft()])
    journal.append([draft(day=1)])
    log = root / "journal" / "2026-03-14.db-wal"
    assert not log.exists() or log.stat().st_size == 0


def test_a_directory_whose_name_has_signs_of_an_address_works(tmp_path: Path, draft: Make) -> None:
    journal = SqliteJournal(tmp_path / "a?b#c%20d ü")
    journal.append([draft()])
    journal.append([draft(day=1)])
    assert len(journal.run("run-a")) == 2
    journal.close()


def test_a_segment_of_a_newer_release_is_refused(journal: SqliteJournal, draft: Make, sql: Sql) -> None:
    journal.append([draft()])
    sql("2026-03-14.db", "UPDATE meta SET version = 2")
    with pytest.raises(StoreError, match="Upgrade clearance"):
        journal.append([draft()])
    assert any("Upgrade" in problem for problem in journal.verify().problems)


def test_an_index_of_a_newer_release_is_refused(journal: SqliteJournal, sql: Sql, root: Path) -> None:
    sql("runs.db", "UPDATE meta SET version = 2")
    with pytest.raises(StoreError, match="Upgrade clearance"):
        SqliteJournal(root)


def test_a_place_that_is_no_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "store", tmp_path / "none" / "store"):
        with pytest.raises(StoreError, match="Could not open the journal"):
            SqliteJournal(path)


def test_a_damaged_file_is_told_with_what_to_do(root: Path, draft: Make) -> None:
    journal = SqliteJournal(root)
    journal.append([draft()])
    journal.close()
    (root / "journal" / "2026-03-14.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match="restore a copy"):
        SqliteJournal(root)


def test_a_record_that_cannot_be_one_is_told_when_it_is_read(
    journal: SqliteJournal, draft: Make, sql: Sql
) -> None:
    journal.append([draft()])
    sql("2026-03-14.db", "UPDATE records SET kind = 'nonsense'")
    with pytest.raises(IntegrityError, match="position 1"):
        journal.run("run-a")


def test_what_a_crash_left_half_made_is_removed_when_it_is_old(root: Path) -> None:
    SqliteJournal(root).close()
    old, young = root / "journal" / ".new-0", root / "journal" / ".new-1"
    old.touch()
    young.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    SqliteJournal(root).close()
    assert not old.exists()
    assert young.exists()


def test_another_open_journal_is_alive_until_it_is_closed(root: Path, journal: SqliteJournal) -> None:
    other = SqliteJournal(root)
    assert journal.is_alive(other.node)
    other.close()
    assert not journal.is_alive(other.node)


def test_tending_brings_the_log_into_the_file_and_takes_nothing_from_it(
    journal: SqliteJournal, draft: Make, root: Path
) -> None:
    journal.tend()
    written = journal.append([draft() for _ in range(200)])
    [segment] = (root / "journal").glob("2026-*.db")
    before = segment.stat().st_size
    journal.tend()
    assert segment.stat().st_size > before
    assert journal.run(written[0].run_id) == written
    journal.append([draft()])
    assert journal.verify().problems == ()
