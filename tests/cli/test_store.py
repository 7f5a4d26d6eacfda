"""`clearance store`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.conftest import Invoke

Answer = Callable[..., Any]
KILLED = """
import os, signal, sys
from clearance import Client
client = Client(sys.argv[1], agent="doomed")
assert client.check("read").allowed
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_sound_store_verifies_and_names_its_head(run: Invoke, answer: Answer, story: str) -> None:
    told = answer("store", "verify")
    assert set(told) == {"records", "runs", "head", "problems"}
    assert (told["runs"], told["problems"]) == (1, [])
    assert run("store", "verify").stdout == f"sound: records {told['records']}, runs 1\nhead {told['head']}\n"


def test_a_store_whose_policies_cannot_be_read_still_verifies(run: Invoke, story: str, home: Path) -> None:
    (home / "clearance.yaml").write_text("policies: [broken.yaml]\n")
    (home / "broken.yaml").write_text("policies: 3\n")
    assert run("runs").exit_code == 1
    assert run("store", "verify").exit_code == 0


def test_the_status_tells_directory_files_records_and_size(run: Invoke, answer: Answer, story: str) -> None:
    told = answer("store", "status")
    assert set(told) == {"directory", "segments", "oldest", "newest", "records", "bytes", "in_flight"}
    assert told["records"] == answer("store", "verify")["records"]
    assert (told["segments"], told["in_flight"]) == (1, 0)
    assert told["bytes"] > 0
    assert run("store", "status").stdout.startswith("directory  ")


def test_pruning_keeps_the_newest_file(run: Invoke, answer: Answer, story: str) -> None:
    assert answer("store", "prune", "--keep-days", "1") == {"dropped": []}
    assert run("store", "prune", "--keep-days", "1").stdout.startswith("Nothing is older than ")
    assert run("store", "prune").exit_code == 2
    assert run("trace", "last").exit_code == 0


def test_what_a_dead_process_left_open_is_closed_and_told_once(
    run: Invoke, answer: Answer, home: Path
) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(home / ".clearance")], check=False)
    assert died.returncode == -signal.SIGKILL
    assert answer("store", "status")["in_flight"] == 1
    told = run("runs")
    assert told.stderr == "note: closed as unknown: 1 action that a dead process left open\n"
    assert run("runs").stderr == ""
    assert "? UNKNOWN" in run("trace", "last").stdout
    assert os.listdir(home) == [".clearance"]
