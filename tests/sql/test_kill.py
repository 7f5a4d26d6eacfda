"""Kill -9 between any two instructions of change, commit, journal and undo: nothing lost, nothing half."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clearance import Client
from clearance.core.model import RecordKind, RestoreStatus
from clearance.sql import connect
from tests.sql.conftest import ROWS, Database

pytestmark = pytest.mark.servers
ROUNDS = 50
LONGEST_SECONDS = 0.15  # of work before the kill: some thirty changes, or all of an undo
CHANGE = """
import sys
from clearance import Client
from clearance.sql import connect
store, dsn, run_id = sys.argv[1:]
client = Client(store, agent="tester")
with client.run(goal="change everything") as run, connect(dsn, client=client, name="shop") as orders:
    orders.execute("SELECT 1")
    print(run.run_id, flush=True)
    for number in range(1, 21):
        orders.execute(f"UPDATE orders SET state = 'done' WHERE id = {number}")
        orders.commit()
"""
UNDO = """
import sys
from clearance import Client
from clearance.sql import connect
store, dsn, run_id = sys.argv[1:]
client = Client(store, agent="tester")
connect(dsn, client=client, name="shop").close()
print(run_id, flush=True)
client.undo_run(run_id)
"""


def killed(program: str, store: Path, database: Database, run_id: str, *, after_seconds: float) -> str:
    """Run a program, kill it so long after it is ready; what it said when it was."""
    command = [sys.executable, "-c", program, str(store), database.dsn, run_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        assert said, "the program ended before it was ready"
        time.sleep(after_seconds)
        process.kill()
    return said


def test_every_committed_change_has_its_intent_and_its_image_and_no_undo_is_half_done(
    database: Database, tmp_path: Path
) -> None:
    pick = random.Random(7)  # the delays, not the interleaving, are the same in every run
    store = tmp_path / "store"
    changed_rounds = 0
    for _ in range(ROUNDS if database.kind == "sqlite" else ROUNDS // 2):
        run_id = killed(CHANGE, store, database, "", after_seconds=pick.random() * LONGEST_SECONDS)
        changed = database.states().count("done")
        killed(UNDO, store, database, run_id, after_seconds=pick.random() * LONGEST_SECONDS)
        left = database.states().count("done")
        assert left <= changed
        with Client(store, agent="tester") as client:
            connect(database.dsn, client=client, name="shop").close()
            intents = [
                record
                for record in client.trace(run_id)
                if record.kind is RecordKind.INTENT and record.operation == "update"
            ]
            assert changed <= len(intents), "a change was committed that no intent tells of"
            undone = client.undo_run(run_id)
        assert database.states() == ["open"] * ROWS, "an image of a committed change was lost"
        assert {one.status for one in undone} <= {
            RestoreStatus.RESTORED,
            RestoreStatus.ALREADY_UNDONE,
            RestoreStatus.NOTHING_SAVED,
        }
        changed_rounds += changed > 0
    assert changed_rounds >= 5, "the kills came before anything was committed"
