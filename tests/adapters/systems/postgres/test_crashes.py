"""Kill -9 at any moment: every committed change has its images, and no undo is half done."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from clearance.core.model import RestoreMode, RestoreStatus
from tests.adapters.systems.postgres.conftest import Guarded

pytestmark = pytest.mark.servers

ROUNDS = 50
_CHANGE = "UPDATE ledger SET n = n + 1"
_SCHEMA = """
CREATE TABLE ledger (id int PRIMARY KEY, n int NOT NULL, pad text DEFAULT repeat('x', 200));
CREATE TABLE entries (id serial PRIMARY KEY, ledger int REFERENCES ledger ON DELETE CASCADE);
INSERT INTO ledger SELECT i, 0 FROM generate_series(1, 200) i;
INSERT INTO entries (ledger) SELECT i FROM generate_series(1, 200) i;
"""


def _killed(guarded: Guarded, work: Callable[[Guarded], None], *, after_seconds: float) -> None:
    """Run `work` in a process of its own and kill it; return when the server has let go of it."""
    child = os.fork()
    if child == 0:
        try:
            work(replace(guarded, dsn=f"{guarded.dsn}?application_name=doomed"))
        finally:
            os._exit(0)
    time.sleep(after_seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while _one(guarded, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'doomed'"):
        time.sleep(0.002)


def _one(guarded: Guarded, query: str) -> int:
    row = guarded.owner.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def test_a_committed_change_never_lacks_its_images(guarded: Guarded) -> None:
    guarded.build(_SCHEMA)
    before, chance, kept = guarded.dump(), random.Random(3), 0
    usual = _seconds(lambda: guarded.undo(guarded.act(_CHANGE)[0])) / 2
    for number in range(ROUNDS):

        def work(doomed: Guarded, name: str = f"round-{number}") -> None:
            session = doomed.session()
            session.attempt(_CHANGE, None, snapshot_id=name)
            session.complete()
            session.commit()

        _killed(guarded, work, after_seconds=chance.uniform(0, usual * 1.5))
        changed = _one(guarded, "SELECT max(n) FROM ledger")
        assert _one(guarded, "SELECT min(n) FROM ledger") == changed
        found = _one(
            guarded, f"SELECT count(*) FROM clearance_guard.snapshots WHERE snapshot_id = 'round-{number}'"
        )
        assert found == changed
        if changed:
            kept += 1
            assert guarded.system().verify(f"round-{number}").count == 200
            assert guarded.undo(f"round-{number}").status is RestoreStatus.RESTORED
        assert guarded.dump() == before
    assert 0 < kept < ROUNDS, "the kills fell on one side of the commit only"


def test_an_undo_is_whole_or_has_not_happened(guarded: Guarded) -> None:
    guarded.build(_SCHEMA)
    before, chance, done = guarded.dump(), random.Random(4), 0
    snapshot_id, _ = guarded.act("DELETE FROM ledger")
    usual = _seconds(lambda: guarded.undo(snapshot_id))
    for number in range(ROUNDS):
        snapshot_id, _ = guarded.act("DELETE FROM ledger")

        def work(doomed: Guarded, name: str = snapshot_id, by: str = f"undo-{number}") -> None:
            doomed.system().restore(name, as_snapshot=by, mode=RestoreMode.ALL)

        _killed(guarded, work, after_seconds=chance.uniform(0, usual * 1.3))
        stands = guarded.dump()
        assert stands in (before, {table: [] for table in before})
        again = guarded.system().restore(snapshot_id, as_snapshot=f"undo-{number}", mode=RestoreMode.ALL)
        undone = stands == before
        done += undone
        assert again.status is (RestoreStatus.ALREADY_UNDONE if undone else RestoreStatus.RESTORED)
        assert guarded.dump() == before
    assert 0 < done < ROUNDS, "the kills fell on one side of the commit only"


def test_a_change_that_was_reported_can_be_undone_after_the_server_died(guarded: Guarded) -> None:
    """The images commit with the change: whatever ends the connection takes both or none."""
    guarded.build(_SCHEMA)
    before, session = guarded.dump(), guarded.session()
    session.attempt(_CHANGE, None, snapshot_id="s")
    session.complete()
    with psycopg.connect(guarded.dsn, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction'"
        )
    time.sleep(0.05)
    assert guarded.dump() == before
    assert _one(guarded, "SELECT count(*) FROM clearance_guard.snapshots") == 0
