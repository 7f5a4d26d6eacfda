"""Kill -9 between any two instructions of a change or an undo: no change without its images, no half undo."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clearance.adapters.systems.mysql import open_system
from clearance.core.model import RestoreMode, RestoreStatus
from clearance.errors import NotFoundError
from tests.adapters.systems.mysql.conftest import Database

pytestmark = pytest.mark.servers
ROUNDS = 30
ROWS = 40
CHANGES = """
import sys
from pathlib import Path
from clearance.adapters.systems.mysql import open_session
session = open_session("kill", {"dsn": sys.argv[1]}, images=Path("."))
for number in range(int(sys.argv[2]), 10**9):
    session.attempt("UPDATE p SET a = %s", (number,), snapshot_id=f"kill-{sys.argv[1]}-{number}")
    session.complete()
    session.commit()
    print(number, flush=True)
"""
UNDOES = """
import sys
from pathlib import Path
from clearance.adapters.systems.mysql import open_system
from clearance.core.model import RestoreMode
system = open_system("kill", {"dsn": sys.argv[1]}, images=Path("."))
print("ready", flush=True)
last = sys.argv[2]
for number in range(10**9):
    system.restore(last, as_snapshot=f"{sys.argv[2]}-{number}", mode=RestoreMode.ALL)
    last = f"{sys.argv[2]}-{number}"
    print(last, flush=True)
"""


def killed(script: str, arguments: list[str], seconds: float) -> list[str]:
    """What a process had printed when it was killed, this long after its first line."""
    command = [sys.executable, "-c", script, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait(timeout=10)
    process.stdout.close()
    return [line for line in (first + rest).split("\n") if line]


def wait_for_the_server_to_take_back(database: Database) -> None:
    """The server notices a dead client within a moment and rolls it back."""
    database.run("SET SESSION innodb_lock_wait_timeout = 20", "BEGIN", "SELECT * FROM p FOR UPDATE", "COMMIT")


def test_a_committed_change_always_has_its_images_and_no_image_is_without_its_change(
    empty: Database, mariadb_dsn: str, tmp_path: Path
) -> None:
    empty.run("CREATE TABLE p (id INT PRIMARY KEY, a INT)")
    empty.run(f"INSERT INTO p VALUES {', '.join(f'({row}, -1)' for row in range(ROWS))}")
    system = open_system("kill", {"dsn": mariadb_dsn}, images=tmp_path)
    random.seed(20)
    number = 0
    for _ in range(ROUNDS // 2):
        killed(CHANGES, [mariadb_dsn, str(number)], random.uniform(0, 0.05))
        wait_for_the_server_to_take_back(empty)
        values = {row[0] for row in empty.run("SELECT a FROM p").fetchall()}
        assert len(values) == 1, "a change is there in part"
        last = values.pop()
        assert last >= number
        assert system.verify(f"kill-{mariadb_dsn}-{last}").count == ROWS
        with pytest.raises(NotFoundError):
            system.verify(f"kill-{mariadb_dsn}-{last + 1}")
        number = last + 1
    report = system.restore(
        f"kill-{mariadb_dsn}-{number - 1}", as_snapshot=f"{mariadb_dsn}-u", mode=RestoreMode.ALL
    )
    assert (report.status, report.restored) == (RestoreStatus.RESTORED, ROWS)


def test_an_undo_is_there_whole_or_not_at_all_and_goes_on_after_a_crash(
    empty: Database, mariadb_dsn: str, tmp_path: Path
) -> None:
    from clearance.adapters.systems.mysql import open_session

    empty.run("CREATE TABLE p (id INT PRIMARY KEY, a INT)")
    empty.run(f"INSERT INTO p VALUES {', '.join(f'({row}, 0)' for row in range(ROWS))}")
    session = open_session("kill", {"dsn": mariadb_dsn}, images=tmp_path)
    system = open_system("kill", {"dsn": mariadb_dsn}, images=tmp_path)
    last = f"undo-{mariadb_dsn}"
    session.attempt("UPDATE p SET a = 1", None, snapshot_id=last)
    session.complete()
    session.commit()
    session.close()
    random.seed(21)
    for _ in range(ROUNDS // 2):
        done = killed(UNDOES, [mariadb_dsn, last], random.uniform(0, 0.08))
        wait_for_the_server_to_take_back(empty)
        values = {row[0] for row in empty.run("SELECT a FROM p").fetchall()}
        assert len(values) == 1, "an undo is there in part"
        reached = done[-1] if len(done) > 1 else last
        onward = f"{last}-{len(done) - 1}"
        report = system.restore(reached, as_snapshot=onward, mode=RestoreMode.ALL)
        assert report.status in (RestoreStatus.RESTORED, RestoreStatus.ALREADY_UNDONE)
        assert system.verify(onward).count == ROWS
        last = onward
