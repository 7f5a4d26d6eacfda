"""Every adapter of every port, one after another: a suite that asks for one of these runs on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clearance.adapters.store.memory import MemoryJournal
from clearance.adapters.store.memory_state import MemoryState
from clearance.adapters.store.sqlite import SqliteJournal, SqliteState
from clearance.core.model import Draft, RecordKind
from clearance.ports import Journal, State

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    opened = SqliteJournal(tmp_path / "store") if request.param == "sqlite" else MemoryJournal()
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "memory"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    opened: State = SqliteState(tmp_path / "store") if request.param == "sqlite" else MemoryState()
    yield opened
    opened.close()


@pytest.fixture
def draft() -> Callable[..., Draft]:
    """A draft with a body given as plain values; `second` moves it in time, from noon of one day."""

    def make(
        run_id: str = "run-a", kind: str = "note", *, second: float = 0, body: Any = None, **fields: Any
    ) -> Draft:
        return Draft(
            run_id=run_id,
            kind=RecordKind(kind),
            at=NOON + timedelta(seconds=second),
            body=msgspec.Raw(msgspec.json.encode({} if body is None else body)),
            **{"agent": "support_bot", **fields},
        )

    return make
