"""A restore that is killed with SIGKILL, before or after any of its writes: the same call finishes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.systems.http import open_system
from clearance.core.model import RestoreMode, RestoreStatus
from tests.ports.system_drivers import request
from tests.servers.rest import RestApi

pytestmark = pytest.mark.servers
COUNT = 24
CHILD = """
import sys
from pathlib import Path
from clearance.adapters.systems.http import open_system
from clearance.core.model import RestoreMode

options = {"base_url": sys.argv[1], "private_addresses": "allow"}
system = open_system("crm", options, images=Path(sys.argv[2]))
system.restore("snap", as_snapshot="replaced", mode=RestoreMode.ALL)
"""


@pytest.mark.parametrize("late", [False, True], ids=["before the write", "after the write"])
def test_a_restore_that_is_killed_again_and_again_ends_exactly(tmp_path: Path, late: bool) -> None:
    with RestApi() as api:
        options = {"base_url": api.url, "private_addresses": "allow"}
        system = open_system("crm", options, images=tmp_path)
        before = {f"/users/{number}": f'{{"n": {number}}}'.encode() for number in range(COUNT)}
        api.records = dict(before)
        asked = request(record_ids=[*range(COUNT), "new"])
        system.save(asked, ["users"], snapshot_id="snap")
        for number in range(0, COUNT, 2):
            api.records[f"/users/{number}"] = b'{"n": "changed"}'
            del api.records[f"/users/{number + 1}"]
        api.records["/users/new"] = b"{}"
        after = dict(api.records)
        system.settle("snap")
        kills = _restore_under_fire(api, tmp_path, late=late)
        assert kills >= 5
        assert api.records == before
        again = system.restore("snap", as_snapshot="replaced", mode=RestoreMode.ALL)
        assert again.status is RestoreStatus.ALREADY_UNDONE
        assert system.restore("replaced", as_snapshot="redo", mode=RestoreMode.ALL).restored == COUNT + 1
        assert api.records == after
        system.close()


def _restore_under_fire(api: RestApi, images: Path, *, late: bool) -> int:
    """Start it again and again; each life is killed at its fourth write. How many died."""
    for kills in range(40):
        child = subprocess.Popen([sys.executable, "-c", CHILD, api.url, str(images)])
        writes = [0]
        real = RestApi.answer

        def answer(
            method: str, *rest: Any, child: Any = child, writes: Any = writes, real: Any = real
        ) -> Any:
            fatal = method in ("PUT", "DELETE") and (writes.__setitem__(0, writes[0] + 1) or writes[0] == 4)
            if fatal and not late:
                os.kill(child.pid, signal.SIGKILL)
            answered = real(api, method, *rest)
            if fatal and late:
                os.kill(child.pid, signal.SIGKILL)
            return answered

        api.answer = answer  # type: ignore[method-assign]
        if child.wait(timeout=30) == 0:
            del api.answer
            return kills
        assert child.returncode == -signal.SIGKILL
    raise AssertionError("it never got through")
