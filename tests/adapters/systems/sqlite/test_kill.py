"""kill -9 at any moment of capture, commit and undo: no image is lost, no undo is half."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clearance.core.model import RestoreMode, RestoreStatus
from clearance.errors import NotFoundError
from tests.adapters.systems.sqlite.conftest import Database

pytestmark = pytest.mark.servers
ROUNDS = 50
ROWS = 300
WORKER = """
import sys
from pathlib import Path
from clearance.adapters.systems.sqlite import open_session, open_system
from clearance.core.model import RestoreMode
path = Path(sys.argv[1])
options = {"path": str(path), "most_rows": 100_000}
session = open_session("db", options, images=path.parent / "images")
system = open_system("db", options, images=path.parent / "images")
for line in sys.stdin:
    number = int(line)
    sql = "UPDATE t SET v = v + 1" if number % 2 else "ALTER TABLE t ADD COLUMN extra DEFAULT 1"
    print("begun", flush=True)
    session.attempt(sql, None, snapshot_id=f"s{number}")
    session.saved()
    session.complete()
    session.commit()
    system.restore(f"s{number}", as_snapshot=f"u{number}", mode=RestoreMode.ALL)
    print("done", flush=True)
"""


def start(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_kill_at_any_moment_leaves_all_or_nothing(tmp_path: Path) -> None:
    database = Database(path=tmp_path / "a.db")
    rows = ", ".join(f"({number}, 0)" for number in range(ROWS))
    database.run(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES {rows}")
    before = database.dump()
    pace = random.Random(7)
    seen = {"nothing": 0, "changed": 0, "undone": 0}
    for number in range(ROUNDS):
        worker = start(database.path)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(f"{number}\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == "begun\n"
        time.sleep(pace.uniform(0, 0.12))
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        worker.stdin.close()
        worker.stdout.close()
        now = database.dump()
        system = database.system()
        try:
            system.verify(f"s{number}")
        except NotFoundError:
            assert now == before
            seen["nothing"] += 1
            continue
        report = system.restore(f"s{number}", as_snapshot=f"u{number}", mode=RestoreMode.ALL)
        seen["undone" if report.status is RestoreStatus.ALREADY_UNDONE else "changed"] += 1
        assert report.status in (RestoreStatus.RESTORED, RestoreStatus.ALREADY_UNDONE)
        assert (now == before) is (report.status is RestoreStatus.ALREADY_UNDONE)
        assert database.dump() == before
        system.verify(f"u{number}")
    assert seen["nothing"], seen
    assert seen["changed"] + seen["undone"], seen
