"""How far a question looks, and by which index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clearance.adapters.store.sqlite import SqliteJournal, queries
from clearance.adapters.store.sqlite.readers import _KEPT
from clearance.core.model import Draft
from clearance.ports import RecordQuery, RunQuery

Make = Callable[..., Draft]
Sql = Callable[..., list[tuple[Any, ...]]]


def test_a_search_of_text_reads_a_bounded_number_of_the_newest_bodies(
    journal: SqliteJournal, draft: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(3):
        journal.append([draft(day=day, tool="x", body={"day": f"day-{day}"}), draft(day=day)])
    monkeypatch.setattr(queries, "TEXT_SCANNED", 4)
    assert len(journal.search(RecordQuery(text="day-1"))) == 1
    assert journal.search(RecordQuery(text="day-0")) == []
    assert len(journal.search(RecordQuery(text="day-0", tool="x"))) == 1


@pytest.mark.parametrize("condition", ["agent = 'a'", "tool = 't' AND at >= 5", "kind = 'k' AND at < 5", "1"])
def test_the_newest_records_are_found_in_the_order_of_an_index(
    journal: SqliteJournal, draft: Make, sql: Sql, condition: str
) -> None:
    journal.append([draft()])
    select = f"SELECT * FROM records WHERE {condition} ORDER BY at DESC, position DESC LIMIT 50"
    plan = [row[-1] for row in sql("2026-03-14.db", f"EXPLAIN QUERY PLAN {select}")]
    assert len(plan) == 1
    assert "records_newest" in plan[0]


def test_the_newest_runs_are_found_in_the_order_of_an_index(
    journal: SqliteJournal, draft: Make, sql: Sql
) -> None:
    journal.append([draft()])
    select = "SELECT * FROM runs WHERE agent = 'a' ORDER BY started_at DESC, run_id DESC LIMIT 50"
    plan = [row[-1] for row in sql("2026-03-14.db", f"EXPLAIN QUERY PLAN {select}")]
    assert len(plan) == 1
    assert "runs_started" in plan[0]


def test_what_is_new_enough_is_answered_from_the_newest_file(journal: SqliteJournal, draft: Make) -> None:
    for day in range(4):
        journal.append([draft(f"run-{day}", kind="intent", action_id=str(day), day=day)])
    journal._readers.close()
    journal.run("run-3")
    journal.action("3")
    journal.search(RecordQuery(limit=1))
    journal.runs(RunQuery(limit=1))
    assert {name for name, _ in journal._readers._idle} == {"2026-03-17.db"}


def test_few_connections_stay_open_however_many_days_are_kept(journal: SqliteJournal, draft: Make) -> None:
    for day in range(_KEPT + 4):
        journal.append([draft(day=day)])
    assert journal.verify().problems == ()
    assert len(journal._readers._idle) == _KEPT
