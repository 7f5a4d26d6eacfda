"""Following what other processes write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from clearance.adapters.store.sqlite import SqliteJournal
from clearance.adapters.store.sqlite.foreign import OwnPositions
from clearance.core.model import Draft
from clearance.errors import IntegrityError

Make = Callable[..., Draft]
Open = Callable[..., SqliteJournal]
Sql = Callable[..., list[tuple[Any, ...]]]


def places(journal: SqliteJournal) -> list[int]:
    return [record.position for record in journal.foreign()]


def test_records_of_others_come_once_and_in_order_and_ones_own_never(open_journal: Open, draft: Make) -> None:
    open_journal().append([draft()])
    mine, theirs = open_journal(), open_journal()
    assert mine.foreign() == []
    mine.append([draft()])
    theirs.append([draft(), draft()])
    mine.append([draft()])
    theirs.append([draft()])
    assert places(mine) == [3, 4, 6]
    assert places(mine) == []
    mine.append([draft()])
    assert places(mine) == []
    theirs.append([draft()])
    assert places(mine) == [8]


def test_what_was_written_between_opening_and_the_first_call_is_not_lost(
    open_journal: Open, draft: Make
) -> None:
    open_journal().append([draft()])
    mine, theirs = open_journal(), open_journal()
    mine.append([draft()])
    theirs.append([draft()])
    assert mine.foreign() == []
    assert places(mine) == [3]


def test_it_follows_over_days(open_journal: Open, draft: Make) -> None:
    mine, theirs = open_journal(), open_journal()
    assert places(mine) == []
    theirs.append([draft()])
    mine.append([draft(day=1)])
    theirs.append([draft(day=1)])
    theirs.append([draft(day=3)])
    assert places(mine) == [1, 3, 4]
    mine.append([draft(day=4)])
    theirs.append([draft(day=4)])
    assert places(mine) == [6]


def test_it_goes_on_after_days_were_dropped_unread(open_journal: Open, draft: Make) -> None:
    open_journal().append([draft()])
    mine, theirs = open_journal(), open_journal()
    assert places(mine) == []
    for day in range(4):
        theirs.append([draft(day=day)])
    theirs.drop_before(date(2026, 3, 17))
    assert places(mine) == [2, 5]


def test_when_nothing_changed_one_statement_is_run(open_journal: Open, draft: Make) -> None:
    open_journal().append([draft()])
    mine = open_journal()
    for _ in range(2):
        mine.foreign()
    statements: list[str] = []
    assert mine._foreign._connection is not None
    mine._foreign._connection.set_trace_callback(statements.append)
    mine.foreign()
    assert statements == ["PRAGMA data_version"]


def test_what_could_not_be_read_is_not_skipped(open_journal: Open, draft: Make, sql: Sql) -> None:
    mine, theirs = open_journal(), open_journal()
    mine.foreign()
    theirs.append([draft()])
    sql("2026-03-14.db", "UPDATE records SET kind = 'nonsense'")
    for _ in range(2):
        with pytest.raises(IntegrityError):
            mine.foreign()


def test_positions_that_were_staged_and_not_committed_can_be_anothers(
    open_journal: Open, draft: Make
) -> None:
    [mine] = open_journal().append([draft()])
    [theirs] = open_journal().append([draft()])
    own = OwnPositions()
    own.stage([mine])
    assert own.without([mine, theirs]) == [theirs]
    own.unstage()
    assert own.without([mine, theirs]) == [mine, theirs]
    own.stage([mine])
    own.settle()
    assert own.skip(0) == 1


def test_ones_own_positions_take_no_more_room_while_nobody_else_writes(
    journal: SqliteJournal, draft: Make
) -> None:
    for _ in range(50):
        journal.append([draft(), draft()])
    assert journal._writer._own._ranges == [(1, 100)]
