"""A store on disk, drafts for it, and raw SQL on its files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clearance.adapters.store.sqlite import SqliteJournal
from clearance.core.model import Draft, RecordKind

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
Open = Callable[..., SqliteJournal]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def open_journal(root: Path) -> Iterator[Open]:
    """Opens the same directory as often as asked, each time as another process would."""
    opened: list[SqliteJournal] = []

    def open_it(**settings: Any) -> SqliteJournal:
        opened.append(SqliteJournal(root, **settings))
        return opened[-1]

    yield open_it
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(open_journal: Open) -> SqliteJournal:
    return open_journal()


def drafted(run_id: str = "run-a", kind: str = "note", *, day: int = 0, **fields: Any) -> Draft:
    """A draft of day 0, the 14th of March 2026, or of a later day."""
    body = msgspec.Raw(msgspec.json.encode(fields.pop("body", {"goal": "tidy up"})))
    at = NOON + timedelta(days=day)
    return Draft(run_id=run_id, kind=RecordKind(kind), at=at, agent="support_bot", body=body, **fields)


@pytest.fixture
def draft() -> Callable[..., Draft]:
    return drafted


@pytest.fixture
def sql(root: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Runs one statement on a file of the journal, past the journal."""

    def run(file: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(root / "journal" / file, isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    return run
