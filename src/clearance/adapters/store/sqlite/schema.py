"""Every table of the journal, and the version they make. Records are only ever inserted."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

# `digest` is over every other column. `next`, `final_position` and `final_chain` are set when it is sealed.
_META: Final = """
CREATE TABLE meta (
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    previous TEXT NOT NULL,
    genesis_position INTEGER NOT NULL,
    genesis_chain TEXT NOT NULL,
    next TEXT NOT NULL,
    final_position INTEGER NOT NULL,
    final_chain TEXT NOT NULL,
    digest TEXT NOT NULL
)"""

_RECORDS: Final = """
CREATE TABLE records (
    position INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    agent TEXT NOT NULL,
    node TEXT NOT NULL,
    action_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    operation TEXT NOT NULL,
    effect TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL,
    prev_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    chain BLOB NOT NULL
)"""

# The state of each run after its last record here, so that a listing and an append read one row.
_RUNS: Final = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    goal TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    actions INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    alerts INTEGER NOT NULL,
    ended INTEGER NOT NULL
) WITHOUT ROWID"""

# Actions held or running now, those of earlier segments included: the newest segment knows them all.
_OPEN: Final = """
CREATE TABLE open_actions (
    run_id TEXT NOT NULL,
    action_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (action_id, run_id)
) WITHOUT ROWID"""

SEGMENT: Final = (
    _META,
    _RECORDS,
    "CREATE UNIQUE INDEX records_run ON records (run_id, seq)",
    "CREATE INDEX records_action ON records (action_id) WHERE action_id <> ''",
    # Holds every column a search filters by, so that only records that match are looked up.
    "CREATE INDEX records_newest ON records (at, position, agent, tool, kind, operation, effect, status)",
    _RUNS,
    "CREATE INDEX runs_started ON runs (started_at)",
    _OPEN,
)

# `first` is the name of the journal's first segment, `through` of the last one whose runs are in `heads`.
RUN_INDEX: Final = (
    "CREATE TABLE meta (version INTEGER NOT NULL, first TEXT NOT NULL, through TEXT NOT NULL)",
    """
CREATE TABLE heads (
    run_id TEXT PRIMARY KEY,
    segment TEXT NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL
) WITHOUT ROWID""",
)
