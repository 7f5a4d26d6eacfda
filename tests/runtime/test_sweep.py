"""What nobody will report any more closes as unknown, and says so; what is alive is left alone."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from clearance import Client
from clearance.config import Settings
from clearance.core.model import OutcomeReport, OutcomeStatus, RecordKind
from clearance.runtime.sweep import close_left_behind, close_overdue
from clearance.wiring import assemble, utc_now

pytestmark = pytest.mark.servers

CHECK_AND_DIE = """
import os, sys
from clearance import Client
result = Client(sys.argv[1], agent="a").check("read", "t")
print(result.action_id, result.run_id, flush=True)
os.kill(os.getpid(), 9)
"""


def check_and_die(store: Path) -> tuple[str, str]:
    told = subprocess.run(
        [sys.executable, "-c", CHECK_AND_DIE, str(store)], capture_output=True, text=True, timeout=60
    )
    assert told.returncode == -9, told.stderr
    action_id, run_id = told.stdout.split()
    return action_id, run_id


def test_an_action_left_open_by_a_dead_process_is_closed_as_unknown_at_the_next_start(tmp_path: Path) -> None:
    action_id, run_id = check_and_die(tmp_path / "s")
    assembly = assemble(Settings(store=str(tmp_path / "s")))
    assert [record.action_id for record in assembly.closed] == [action_id]
    last = assembly.journal.run(run_id)[-1]
    assert (last.kind, last.status) == (RecordKind.OUTCOME, "unknown")
    assert "ended before an outcome was reported" in last.decoded()["why"]
    assembly.close()
    assert assemble(Settings(store=str(tmp_path / "s"))).closed == ()


def test_a_late_report_of_an_action_closed_as_unknown_is_kept_beside_it(tmp_path: Path) -> None:
    action_id, run_id = check_and_die(tmp_path / "s")
    assembly = assemble(Settings(store=str(tmp_path / "s")))
    assembly.control_point.report(action_id, OutcomeReport(status=OutcomeStatus.SUCCEEDED, result=1))
    statuses = [r.status for r in assembly.journal.run(run_id) if r.kind is RecordKind.OUTCOME]
    assert statuses == ["unknown", "succeeded"]
    assembly.close()


def test_what_a_living_process_has_under_way_is_left_alone(tmp_path: Path) -> None:
    with Client(tmp_path / "s", agent="a") as client:
        client.check("read", "t")
        other = assemble(Settings(store=str(tmp_path / "s")))
        assert other.closed == ()
        assert close_left_behind(other.journal, utc_now) == []
        other.close()


def test_an_overdue_report_closes_the_action_of_this_process(tmp_path: Path) -> None:
    assembly = assemble(Settings(store=str(tmp_path / "s")))
    with Client(tmp_path / "s", agent="a") as client:
        run_id = client.check("read", "t").run_id
        assert close_overdue(assembly.journal, utc_now, after=timedelta(0)) == []
        own = client.backend.assembly.journal  # type: ignore[attr-defined]
        assert close_overdue(own, utc_now, after=timedelta(hours=1)) == []
        [closed] = close_overdue(own, utc_now, after=timedelta(0))
        assert (closed.run_id, closed.status) == (run_id, "unknown")
    assembly.close()


def test_nothing_is_kept_of_dead_processes_once_their_actions_are_closed(tmp_path: Path) -> None:
    for _ in range(3):
        check_and_die(tmp_path / "s")
    assembly = assemble(Settings(store=str(tmp_path / "s")))
    assert len(list((tmp_path / "s" / "nodes").iterdir())) == 1
    assembly.close()
    assert list((tmp_path / "s" / "nodes").iterdir()) == []
