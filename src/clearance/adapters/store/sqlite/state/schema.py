"""The tables of `state.db`, and their version. Columns are what is queried; `body` is the whole value."""

from __future__ import annotations

from typing import Final

VERSION: Final = 3

# One line for each kind of thing; a change of any of that kind adds one, so that asking costs one read.
POLICIES: Final = "policies"
AGENTS: Final = "agents"
CREDENTIALS: Final = "credentials"
ENDED_CREDENTIALS: Final = "ended_credentials"  # those changes alone that can make a known one worse
PEOPLE: Final = "people"
HOLDS: Final = "holds"
GRANTS: Final = "grants"
BRAKES: Final = "brakes"
PINS: Final = "pins"
TOPICS: Final = (POLICIES, AGENTS, CREDENTIALS, ENDED_CREDENTIALS, PEOPLE, HOLDS, GRANTS, BRAKES, PINS)

META: Final = "CREATE TABLE meta (version INTEGER NOT NULL)"
POLICIES_TABLE: Final = """
CREATE TABLE policies (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    document TEXT NOT NULL
)"""

_AGENTS: Final = "CREATE TABLE agents (name TEXT PRIMARY KEY, body TEXT NOT NULL)"

_CREDENTIALS: Final = (
    """
CREATE TABLE credentials (
    credential_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    body TEXT NOT NULL
)""",
    "CREATE INDEX credentials_subject ON credentials (subject, kind, created_at, credential_id)",
    "CREATE INDEX credentials_kind ON credentials (kind, created_at, credential_id)",
    """
CREATE TABLE used_tokens (
    issuer TEXT NOT NULL,
    token_id TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (issuer, token_id)
) WITHOUT ROWID""",
    "CREATE INDEX used_tokens_until ON used_tokens (until)",
)

_PEOPLE: Final = (
    """
CREATE TABLE people (
    name TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL
)""",
    "CREATE UNIQUE INDEX people_identity ON people (issuer, subject) WHERE issuer <> ''",
)

# A query is answered by a partial index only if it repeats the index's condition word for word.
IS_OPEN: Final = "status IN ('pending', 'approved')"
IS_USABLE: Final = "revoked_at IS NULL AND used < most_uses"

_HOLDS: Final = (
    """
CREATE TABLE holds (
    hold_id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    agent TEXT NOT NULL,
    run_id TEXT NOT NULL,
    call_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
)""",
    f"CREATE INDEX holds_open ON holds (agent, run_id, call_hash, created_at, hold_id) WHERE {IS_OPEN}",
    f"CREATE INDEX holds_overdue ON holds (expires_at, hold_id) WHERE {IS_OPEN}",
    "CREATE INDEX holds_newest ON holds (created_at, hold_id)",
    "CREATE INDEX holds_status ON holds (status, created_at, hold_id)",
    "CREATE INDEX holds_agent ON holds (agent, created_at, hold_id)",
    "CREATE INDEX holds_run ON holds (run_id, created_at, hold_id)",
)

# `used`, `revoked_at` and `revoked_by` are kept here alone; the body has them as they were at first.
_GRANTS: Final = (
    """
CREATE TABLE grants (
    grant_id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    tool TEXT NOT NULL,
    most_uses INTEGER NOT NULL,
    used INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_by TEXT NOT NULL,
    body TEXT NOT NULL
)""",
    f"CREATE INDEX grants_usable ON grants (agent, tool, expires_at) WHERE {IS_USABLE}",
    f"CREATE INDEX grants_valid ON grants (expires_at) WHERE {IS_USABLE}",
    "CREATE INDEX grants_newest ON grants (created_at, grant_id)",
    "CREATE INDEX grants_agent ON grants (agent, created_at, grant_id)",
)

# `ends_at` is when it was ended, or its time is over, whichever was first.
_BRAKES: Final = (
    """
CREATE TABLE stops (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, name)
)""",
    """
CREATE TABLE glasses (
    glass_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    body TEXT NOT NULL
)""",
    "CREATE INDEX glasses_ends ON glasses (ends_at)",
    "CREATE INDEX glasses_newest ON glasses (at, glass_id)",
)

# `again_at` is when to send it; NULL: given up, and kept as failed.
_OUTBOX: Final = (
    """
CREATE TABLE outbox (
    notice_id TEXT NOT NULL,
    receiver TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    again_at INTEGER,
    body TEXT NOT NULL,
    PRIMARY KEY (notice_id, receiver)
)""",
    "CREATE INDEX outbox_due ON outbox (again_at, notice_id, receiver) WHERE again_at IS NOT NULL",
)

# Everything that version 2 had not.
SINCE_3: Final = (
    """
CREATE TABLE pins (
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (server, tool)
)""",
)

# Everything that version 1 had not, or had in another form.
SINCE_2: Final = (
    "CREATE TABLE revisions (topic TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    _AGENTS,
    *_CREDENTIALS,
    *_PEOPLE,
    *_HOLDS,
    *_GRANTS,
    *_BRAKES,
    *_OUTBOX,
    *SINCE_3,
)
