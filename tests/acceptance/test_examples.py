"""The examples, run as a reader runs them: each a process of its own, people and servers beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import make_server

pytestmark = pytest.mark.acceptance
EXAMPLES = Path(__file__).parents[2] / "examples"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CLEARANCE_")}


def clearance(directory: Path, *arguments: str) -> str:
    """A command of somebody who works on the store of this directory."""
    command = [sys.executable, "-m", "clearance", *arguments]
    done = subprocess.run(
        command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()


def paying(directory: Path) -> subprocess.Popen[str]:
    """The example's agent, up to where it waits."""
    command = [sys.executable, str(EXAMPLES / "approval/pay.py")]
    process = subprocess.Popen(
        command, cwd=directory, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "sent 200 to Flowers Ltd\n"
    assert process.stdout.readline() == "asking for 4800 to ACME\n"
    return process


def waiting(directory: Path) -> str:
    """The one hold that waits, as soon as it does."""
    for _ in range(20):
        holds = json.loads(clearance(directory, "holds", "--json"))["holds"]
        if holds:
            [hold] = holds
            return str(hold["hold_id"])
    raise AssertionError("nothing was held")


@pytest.mark.parametrize(
    ("answer", "told", "payments"),
    [("approve", "sent 4800 to ACME\n", 2), ("deny", "not sent: approval_refused\n", 1)],
)
def test_a_payment_waits_for_the_answer_of_another_process(
    tmp_path: Path, answer: str, told: str, payments: int
) -> None:
    agent = paying(tmp_path)
    try:
        clearance(tmp_path, answer, waiting(tmp_path), "--yes")
        out, wrong = agent.communicate(timeout=20)
    finally:
        agent.kill()
    assert (agent.returncode, out) == (0, told), wrong
    ended = json.loads(clearance(tmp_path, "trace", "search", "--kind", "outcome", "--json"))["records"]
    assert [one["status"] for one in ended] == ["succeeded"] * payments


def test_an_agent_acts_for_another_within_what_it_was_given(tmp_path: Path) -> None:
    server = make_server(tmp_path / ".clearance")
    keys = {
        f"{name.upper()}_KEY": clearance(tmp_path, "agent", "create", name, "--owner", "ann")
        for name in ("reporting", "helper")
    }
    server.start()
    try:
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "delegation/two_agents.py")],
            env={**ENVIRONMENT, **keys, "CLEARANCE_URL": server.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "helper reads for reporting: allow (no_policy_matched)",
        "helper sends for reporting: deny (out_of_bounds)",
        "the record says: helper on behalf of reporting",
        "after it was ended: 401 delegation_invalid",
    ]
