"""The demo's second act, played whole: a wiped database stopped; a bulk update let through and undone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clearance.cli.demo.incident import lines, play
from clearance.core.drafts import ActionBody
from clearance.core.model import RecordKind, Reversibility

pytestmark = pytest.mark.acceptance


def test_the_command_is_stopped_and_the_update_is_undone_to_the_last_row(tmp_path: Path) -> None:
    told = play(tmp_path / "act")
    assert told.succeeded
    assert told.control.is_wiped, "without Clearance the command does what it says"
    refusal = next(record for record in told.trace if record.kind is RecordKind.REFUSAL)
    assert (refusal.tool, refusal.operation) == ("run_command", "ddl")
    update = next(record for record in told.trace if record.tool == "sql.execute")
    [radius] = update.decoded_as(ActionBody).radius
    assert (radius.count, radius.reversibility) == (1_206, Reversibility.EXACT)
    text = "\n".join(lines(told, color=False, width=100))
    assert "✗" not in text.replace("✗ REFUSED", "")
    undo_again = [sys.executable, "-m", "clearance", "rollback", told.action_id]
    again = subprocess.run(undo_again, cwd=told.store, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "undone before" in again.stdout


def test_it_can_be_played_twice_in_one_place(tmp_path: Path) -> None:
    assert play(tmp_path).succeeded
    assert play(tmp_path).succeeded
