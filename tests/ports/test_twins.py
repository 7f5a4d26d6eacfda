"""Whatever is appended, both journals give the same answers."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clearance.adapters.store.memory import MemoryJournal
from clearance.adapters.store.sqlite import SqliteJournal
from clearance.core.model import Draft, RecordKind
from clearance.ports import RecordQuery, RunQuery

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
_BODIES = [
    {},
    {"goal": "Tidy Up"},
    {"decision": {"obligations": [{"type": "notify"}]}},
    {"text": "100% of _ and \\ and É"},
]

drafts = st.builds(
    Draft,
    run_id=st.sampled_from(["run-a", "run-b", ""]),
    kind=st.sampled_from(RecordKind),
    at=st.integers(0, 72).map(lambda hours: NOON + timedelta(hours=hours)),
    agent=st.sampled_from(["crm", "bot"]),
    node=st.just("0123456789abcdef"),
    action_id=st.sampled_from(["", "a", "b", "c"]),
    tool=st.sampled_from(["", "send_email"]),
    body=st.sampled_from([msgspec.Raw(msgspec.json.encode(body)) for body in _BODIES]),
).map(lambda draft: replace(draft, action_id=draft.action_id and f"{draft.run_id}/{draft.action_id}"))
queries = st.builds(
    RecordQuery,
    run_id=st.sampled_from(["", "run-a"]),
    agent=st.sampled_from(["", "crm"]),
    tool=st.sampled_from(["", "send_email"]),
    kind=st.sampled_from(["", "intent"]),
    text=st.sampled_from(["", "tidy", "%", "_", "\\", "é", "É"]),
    since=st.none() | st.integers(0, 72).map(lambda hours: NOON + timedelta(hours=hours)),
    until=st.none() | st.integers(0, 72).map(lambda hours: NOON + timedelta(hours=hours)),
    limit=st.integers(0, 12),
)


@settings(max_examples=25, deadline=None)
@given(appends=st.lists(st.lists(drafts, max_size=4), max_size=8), query=queries)
def test_the_twins_answer_alike(appends: list[list[Draft]], query: RecordQuery) -> None:
    memory = MemoryJournal()
    with tempfile.TemporaryDirectory() as directory:
        journal = SqliteJournal(Path(directory) / "store")
        for some in appends:
            assert journal.append(some) == memory.append(some)
        for run_id in ("run-a", "run-b", ""):
            assert journal.run(run_id) == memory.run(run_id)
            assert journal.verify(run_id) == memory.verify(run_id)
        assert journal.action("run-a/a") == memory.action("run-a/a")
        assert journal.in_flight() == memory.in_flight()
        runs = RunQuery(agent=query.agent, before=query.until, limit=query.limit)
        assert journal.runs(runs) == memory.runs(runs)
        assert journal.search(query) == memory.search(query)
        journal.close()
