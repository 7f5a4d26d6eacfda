"""A file of version 1, made with that release's own SQL, comes through whole."""

from __future__ import annotations

import hashlib
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clearance.adapters.identity import KeyIdentity, Standing
from clearance.adapters.store.sqlite import SqliteState
from clearance.adapters.store.sqlite.rows import micros
from clearance.core.model import (
    Agent,
    Credential,
    CredentialKind,
    Person,
    PersonSource,
    Principal,
    Proof,
    Role,
    ToolPin,
)
from clearance.ports import PolicyVersion, Presented

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
VERSION_1 = (
    "CREATE TABLE meta (version INTEGER NOT NULL)",
    "CREATE TABLE policies"
    " (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, by TEXT NOT NULL, document TEXT NOT NULL)",
    "CREATE TABLE agents (name TEXT PRIMARY KEY, description TEXT NOT NULL, created_at INTEGER NOT NULL)",
    "CREATE TABLE keys (key_id TEXT PRIMARY KEY, agent TEXT NOT NULL, scope TEXT NOT NULL,"
    " secret_hash TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER)",
    "CREATE INDEX keys_agent ON keys (agent)",
    "INSERT INTO meta VALUES (1)",
)
AGENTS = [("ops", "", NOON), ("billing", "Sends invoices", NOON + HOUR)]
KEYS = [
    ("aa01", "billing", "agent", NOON + 2 * HOUR, None, None),
    ("aa02", "billing", "agent", NOON + 3 * HOUR, NOON + 9 * HOUR, NOON + 4 * HOUR),
    ("bb01", "ops", "admin", NOON, NOON + 99 * HOUR, None),
    ("bb02", "ops", "admin", NOON + HOUR, None, NOON + HOUR),
    ("bb03", "unlisted", "admin", NOON, None, None),
]


def secret_hash(key_id: str) -> str:
    return hashlib.sha256(f"secret-{key_id}".encode()).hexdigest()


@pytest.fixture
def old(root: Path) -> Path:
    root.mkdir()
    with closing(sqlite3.connect(root / "state.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        for statement in VERSION_1:
            connection.execute(statement)
        for number in (1, 2):
            row = (number, micros(NOON), "ann", f'{{"policies":[{number}]}}')
            connection.execute("INSERT INTO policies VALUES (?, ?, ?, ?)", row)
        for name, description, at in AGENTS:
            connection.execute("INSERT INTO agents VALUES (?, ?, ?)", (name, description, micros(at)))
        for key_id, agent, scope, *times in KEYS:
            values = [None if at is None else micros(at) for at in times]
            row = (key_id, agent, scope, secret_hash(key_id), *values)
            connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return root


def test_policies_agents_and_keys_come_through(old: Path) -> None:
    state = SqliteState(old)
    assert state.policies.revision() == 2
    assert state.policies.current() == PolicyVersion(number=2, at=NOON, by="ann", document={"policies": [2]})
    assert state.agents.agents() == [
        Agent(name="billing", purpose="Sends invoices", created_at=NOON + HOUR),
        Agent(name="ops", created_at=NOON),
    ]
    found = {one.credential_id: one for one in state.credentials.credentials()}
    assert sorted(found) == [key[0] for key in KEYS]
    for key_id, subject, scope, created_at, expires_at, revoked_at in KEYS:
        assert found[key_id] == Credential(
            credential_id=key_id,
            kind=CredentialKind.SERVICE_TOKEN if scope == "admin" else CredentialKind.AGENT_KEY,
            subject=subject,
            secret_hash=secret_hash(key_id),
            created_at=created_at,
            expires_at=expires_at,
            revoked_at=revoked_at,
        )
    services = [
        Person(name=name, created_at=NOON, roles=(Role.ADMIN,), source=PersonSource.SERVICE)
        for name in ("ops", "unlisted")
    ]
    assert state.people.people() == services
    state.close()


def test_old_keys_go_on_to_open_what_they_opened(old: Path) -> None:
    state = SqliteState(old)
    identity = KeyIdentity(state.credentials, state.people, Standing(state.agents))
    found = identity.identify(Presented(credential="clr_aa01_secret-aa01"), NOON + 5 * HOUR)
    assert found == Principal(agent="billing", proof=Proof.API_KEY)
    ruler = identity.identify(Presented(credential="clr_bb01_secret-bb01"), NOON + 5 * HOUR)
    assert ruler == state.people.person("ops")
    state.close()


def test_an_upgraded_store_takes_every_change(old: Path) -> None:
    state = SqliteState(old)
    before = state.credentials.revision()
    state.credentials.revoke_credential("aa01", NOON)
    assert state.credentials.revision() > before
    assert state.policies.replace({}, expected=2, by="ann", at=NOON).number == 3
    assert state.policies.revision() == 3
    assert state.credentials.use_once("idp", "t", until=NOON + HOUR, at=NOON)
    state.close()


def test_an_upgraded_file_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    SqliteState(old).close()
    SqliteState(tmp_path / "new").close()
    found = []
    for directory in (old, tmp_path / "new"):
        with closing(sqlite3.connect(directory / "state.db")) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            found.append([(name, " ".join((sql or "").split())) for name, sql in rows])
            assert connection.execute("SELECT version FROM meta").fetchall() == [(3,)]
    without_policies = [[row for row in rows if row[0] != "policies"] for rows in found]
    assert without_policies[0] == without_policies[1]


_DIES = """
import os, signal, sys
from clearance.adapters.store.sqlite import SqliteState
from clearance.adapters.store.sqlite.state import upgrade
upgrade.insert_credential = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
SqliteState(sys.argv[1])
"""


def test_a_process_killed_amid_the_upgrade_leaves_the_old_file_whole(old: Path) -> None:
    assert subprocess.run([sys.executable, "-c", _DIES, str(old)], timeout=30).returncode == -signal.SIGKILL
    with closing(sqlite3.connect(old / "state.db")) as connection:
        assert connection.execute("SELECT version FROM meta").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM keys").fetchall() == [(len(KEYS),)]
    state = SqliteState(old)
    assert len(state.credentials.credentials()) == len(KEYS)
    state.close()


_OPENER = """
import sys
from clearance.adapters.store.sqlite import SqliteState
sys.stdin.readline()
state = SqliteState(sys.argv[1])
print(len(state.agents.agents()), len(state.credentials.credentials()), state.policies.revision())
"""


def test_processes_that_open_an_old_file_at_once_upgrade_it_once(old: Path) -> None:
    command = [sys.executable, "-c", _OPENER, str(old)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out.split()) == (0, ["2", "5", "2"])


def test_a_file_of_version_2_gets_pins_and_keeps_the_rest(root: Path) -> None:
    SqliteState(root).close()
    with closing(sqlite3.connect(root / "state.db", isolation_level=None)) as connection:
        connection.execute("DROP TABLE pins")
        connection.execute("DELETE FROM revisions WHERE topic = 'pins'")
        connection.execute("UPDATE meta SET version = 2")
        written = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    state = SqliteState(root)
    state.agents.add_agent(Agent(name="ops", created_at=NOON))
    pin = ToolPin(server="files", tool="read", since=NOON, accepted="a")
    state.pins.change_pins("files", lambda known: [pin])
    assert (state.pins.pins(), state.pins.revision()) == ([pin], 1)
    state.close()
    with closing(sqlite3.connect(root / "state.db")) as connection:
        assert connection.execute("SELECT version FROM meta").fetchone() == (3,)
        now = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    assert {sql for (sql,) in written} < {sql for (sql,) in now}
