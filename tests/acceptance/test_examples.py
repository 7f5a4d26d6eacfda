"""The examples, run as a reader runs them: each a process of its own, people and servers beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import make_server
from tests.servers.process import free_port

pytestmark = pytest.mark.acceptance
EXAMPLES = Path(__file__).parents[2] / "examples"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CLEARANCE_")}
ENVIRONMENT["COLUMNS"] = "100"  # of whatever terminal the tests are run from
README = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
REFUSED = (
    "model: Clearance refused the tool call delete_invoice: "
    "Invoices are never deleted. Ask the accountant to cancel it. [policy_block]"
)


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


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Path]:
    """The directory of the examples of doors, on free ports, with what stands in for a provider running."""
    directory = tmp_path / "doors"
    shutil.copytree(EXAMPLES / "doors", directory, ignore=shutil.ignore_patterns(".clearance", "__pycache__"))
    port, proxy = str(free_port()), str(free_port())
    for file in directory.iterdir():
        file.write_text(file.read_text().replace("9700", port).replace("9701", proxy))
    provider = subprocess.Popen([sys.executable, "provider.py", port], cwd=directory)
    try:
        for _ in range(200):
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.05)
        yield directory
    finally:
        provider.kill()
        provider.wait(timeout=10)


def output(directory: Path, *command: str) -> list[str]:
    """What a line of the examples' page prints, of a reader who has installed what the page says."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{ENVIRONMENT.get('PATH', '')}"
    done = subprocess.run(
        command,
        cwd=directory,
        env={**ENVIRONMENT, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_an_agent_on_openais_sdk_never_sees_the_tool_call_that_is_refused(doors: Path) -> None:
    told = output(doors, "clearance", "run", "--", "python", "model_proxy_openai.py")
    assert told == [
        REFUSED,
        'runs:  read_invoice {"number": "2026-17"}',
        "model: Invoice 2026-17 is ACME's, over 4800.",
    ]
    assert transcript("clearance run -- python model_proxy_openai.py") == told


def test_an_agent_on_anthropics_sdk_neither_and_a_model_that_is_not_listed_is_not_called(doors: Path) -> None:
    assert sorted(output(doors, "clearance", "run", "--", "python", "model_proxy_anthropic.py")) == sorted([
        REFUSED,
        'runs:  read_invoice {"number": "2026-17"}',
        "model: Invoice 2026-17 is ACME's, over 4800.",
        "refused: Only gpt and claude models are used here.",
    ])  # fmt: skip


def test_a_wrapped_server_is_not_asked_to_delete(doors: Path) -> None:
    told = output(doors, "python", "mcp_wrap.py")
    assert told == [
        "tools:   read_note",
        "note:    Call ann@shop.example about the printer.",
        "refused: Notes are never deleted.",
    ]
    assert transcript("python mcp_wrap.py") == told


def test_one_page_is_reached_and_nothing_else(doors: Path) -> None:
    reached, stranger, tunnel = output(doors, "clearance", "run", "--", "python", "egress.py")
    assert reached.endswith("/rates -> rates: EUR 1.07")
    assert "-> refused [policy_block]: Refused by Clearance: From here only the page" in stranger
    assert tunnel.startswith("https://pypi.org/ -> refused: Tunnel connection failed: 403")


@pytest.mark.skipif(sys.platform != "linux", reason="the cage is Linux's")
def test_any_program_gets_every_door_and_its_run_is_read_back(doors: Path) -> None:
    told = output(doors, "sh", "run_any_program.sh")
    caged = clearance_says_caged(doors)
    passed = "past the proxy: 000" if caged else "past the proxy: 200"
    assert told[:3] == ["rates: EUR 1.07", "to a stranger: 403", passed]
    assert any(
        "REFUSED  http_request  read  via egress_proxy  url:http://elsewhere.example/" in line
        for line in told
    ), "\n".join(told)
    assert told[-1].endswith("run ended: succeeded")


def clearance_says_caged(directory: Path) -> bool:
    """Whether this machine allows the cage: some containers do not."""
    done = subprocess.run(
        [sys.executable, "-m", "clearance", "run", "--isolate", "require", "--", "true"],
        cwd=directory,
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode == 0


def transcript(command: str) -> list[str]:
    """What README shows below a command, up to the next one or the end of the block."""
    found = re.search(rf"^\$ {re.escape(command)}[^\n]*\n(.*?)(?=^\$ |^```)", README, re.M | re.S)
    assert found, f"README.md does not show {command}"
    return found[1].splitlines()
