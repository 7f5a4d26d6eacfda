"""A file per day: rotation, a crash in the middle of it, and retention."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.store.sqlite import SqliteJournal
from clearance.adapters.store.sqlite.segments import Segments
from clearance.core.model import Draft
from clearance.ports import RecordQuery, RunQuery

Make = Callable[..., Draft]
Open = Callable[..., SqliteJournal]
DAYS = ["2026-03-14.db", "2026-03-15.db", "2026-03-16.db"]


@pytest.fixture
def segments(root: Path, journal: SqliteJournal) -> Segments:
    return Segments(root / "journal", busy_seconds=1)


def test_each_day_has_its_file_and_a_run_goes_on_over_them(
    journal: SqliteJournal, segments: Segments, draft: Make
) -> None:
    for day in range(3):
        journal.append([draft(day=day), draft(day=day), draft(f"run-{day}", day=day)])
    assert segments.names() == DAYS
    assert [record.seq for record in journal.run("run-a")] == [1, 2, 3, 4, 5, 6]
    assert [record.position for record in journal.search(RecordQuery())] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert [run.records for run in journal.runs(RunQuery())] == [1, 1, 6, 1]
    found = journal.verify()
    assert (found.records, found.runs, found.problems) == (9, 4, ())
    assert journal.verify("run-a").problems == ()


def test_a_late_clock_writes_to_the_newest_file(
    journal: SqliteJournal, segments: Segments, draft: Make
) -> None:
    journal.append([draft(day=1)])
    journal.append([draft(day=0)])
    assert segments.names() == DAYS[1:2]
    journal.append([draft(day=2)])
    journal.append([draft(day=1)])
    assert [record.position for record in journal.search(RecordQuery())] == [3, 4, 1, 2]
    assert [record.position for record in journal.search(RecordQuery(limit=2))] == [3, 4]
    assert not journal.verify().problems


def test_an_append_over_midnight_stays_in_one_file(
    journal: SqliteJournal, segments: Segments, draft: Make
) -> None:
    journal.append([draft(day=0), draft(day=1)])
    assert segments.names() == DAYS[1:2]


def test_two_openers_rotate_together(open_journal: Open, segments: Segments, draft: Make) -> None:
    one, other = open_journal(), open_journal()
    for day in (0, 0, 1, 2):
        one.append([draft(day=day)])
        other.append([draft(day=day)])
        other.append([draft("run-b", day=0)])
    assert segments.names() == DAYS
    assert [record.seq for record in other.run("run-a")] == list(range(1, 9))
    assert not one.verify().problems


def test_a_crash_between_sealing_and_making_the_next_file_is_healed(
    journal: SqliteJournal, open_journal: Open, segments: Segments, draft: Make
) -> None:
    journal.append([draft(kind="intent", action_id="a")])
    segments.seal(DAYS[0], following=DAYS[1])
    assert [record.seq for record in journal.run("run-a")] == [1]
    assert [record.action_id for record in journal.in_flight()] == ["a"]
    assert not journal.verify().problems
    # The one who finds it makes the file that the sealed one names, whatever its own clock says.
    open_journal().append([draft(day=0)])
    journal.append([draft(day=0)])
    assert segments.names() == DAYS[:2]
    assert [record.seq for record in journal.run("run-a")] == [1, 2, 3]
    assert not journal.verify().problems


def test_both_steps_of_a_rotation_can_be_repeated(
    journal: SqliteJournal, segments: Segments, draft: Make
) -> None:
    journal.append([draft()])
    sealed = segments.seal(DAYS[0], following=DAYS[1])
    assert segments.seal(DAYS[0], following=DAYS[2]) == sealed
    segments.create_after(sealed)
    journal.append([draft(day=1)])
    segments.create_after(sealed)
    assert segments.names() == DAYS[:2]
    assert journal.verify().records == 2


def test_two_that_begin_a_journal_on_two_days_begin_the_same_one(
    root: Path, open_journal: Open, segments: Segments, draft: Make
) -> None:
    claimed = open_journal()._index.claim_first(DAYS[0])
    assert open_journal()._index.claim_first(DAYS[1]) == claimed == DAYS[0]
    open_journal().append([draft(day=1)])
    assert segments.names() == DAYS[:2]
    assert not open_journal().verify().problems


def test_an_action_that_is_open_at_midnight_is_closed_the_next_day(
    journal: SqliteJournal, draft: Make
) -> None:
    journal.append([draft(kind="intent", action_id="a"), draft(kind="hold", action_id="b")])
    journal.append([draft(kind="intent", action_id="c", day=1)])
    assert [record.action_id for record in journal.in_flight()] == ["a", "c"]
    journal.append([draft(kind="intent", action_id="b", day=2), draft(kind="outcome", action_id="a", day=2)])
    assert [record.action_id for record in journal.in_flight()] == ["c", "b"]
    assert [record.kind.value for record in journal.action("b")] == ["hold", "intent"]
    assert journal.runs(RunQuery())[0].actions == 3
    assert not journal.verify().problems


def test_retention_removes_whole_files_and_what_is_left_still_verifies(
    journal: SqliteJournal, root: Path, draft: Make
) -> None:
    for day in range(4):
        journal.append([draft(day=day), draft(f"run-{day}", kind="intent", action_id=str(day), day=day)])
    assert journal.drop_before(date(2026, 3, 16)) == DAYS[:2]
    assert sorted(path.name[:13] for path in (root / "journal").glob("2026-*.db")) == [
        "2026-03-16.db",
        "2026-03-17.db",
    ]
    assert [record.seq for record in journal.run("run-a")] == [3, 4]
    assert [record.action_id for record in journal.in_flight()] == ["2", "3"]
    assert journal.run("run-0") == []
    assert not journal.verify().problems
    assert not journal.verify("run-a").problems


def test_a_run_whose_files_are_all_gone_keeps_its_numbers(
    journal: SqliteJournal, open_journal: Open, draft: Make
) -> None:
    journal.append([draft(), draft()])
    journal.append([draft("run-b", day=1)])
    journal.drop_before(date(2026, 3, 15))
    [record] = open_journal().append([draft(day=1)])
    assert record.seq == 3
    assert not journal.verify().problems
    assert not journal.verify("run-a").problems


def test_the_newest_file_is_never_dropped(journal: SqliteJournal, segments: Segments, draft: Make) -> None:
    assert journal.drop_before(date(2030, 1, 1)) == []
    journal.append([draft()])
    journal.append([draft(day=1)])
    assert journal.drop_before(date(2030, 1, 1)) == DAYS[:1]
    assert segments.names() == DAYS[1:2]


def test_the_index_of_runs_is_made_anew_when_it_is_lost(
    journal: SqliteJournal, open_journal: Open, root: Path, draft: Make
) -> None:
    for day in range(3):
        journal.append([draft(day=day), draft(f"run-{day}", day=day)])
    journal.close()
    for path in (root / "journal").glob("runs.db*"):
        path.unlink()
    [record] = open_journal().append([draft("run-0", day=2)])
    assert record.seq == 2
    assert not open_journal().verify().problems


def test_an_open_journal_goes_on_when_its_file_was_dropped_by_another(
    open_journal: Open, draft: Make, sql: Callable[..., list[tuple[Any, ...]]]
) -> None:
    slow, quick = open_journal(), open_journal()
    slow.append([draft()])
    quick.append([draft(day=1)])
    quick.drop_before(date(2026, 3, 15))
    [record] = slow.append([draft(day=1)])
    assert (record.seq, record.position) == (3, 3)
    assert sql(DAYS[1], "SELECT count(*) FROM records") == [(2,)]
