"""Changed files taken up by a server that goes on serving."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Server, make_server

pytestmark = pytest.mark.servers

_WITHIN_SECONDS = 10.0


def policy(rule: str) -> str:
    return yaml.safe_dump([{"name": "files", "rule": rule, "condition": {"action": "update"}}])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Server]:
    """A server with a clearance.yaml and one policy file."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/one.yaml").write_text(policy("alert"))
    (tmp_path / "clearance.yaml").write_text("policies: [policies]\n")
    server = make_server(tmp_path / "store")
    server.directory = tmp_path
    server.start()
    yield server
    if server.process is not None:
        server.stop()


def effect(server: Server) -> str:
    with server.http() as http:
        return str(
            http.post("/v1/actions", json={"action": "update", "resource": "sandbox.x"}).json()["effect"]
        )


def becomes(server: Server, wanted: str) -> bool:
    deadline = time.monotonic() + _WITHIN_SECONDS
    while time.monotonic() < deadline:
        if effect(server) == wanted:
            return True
        time.sleep(0.05)
    return False


def reloads(server: Server, result: str) -> float:
    with server.http(admin=True) as http:
        page = http.get("/metrics").text
    line = next(
        (one for one in page.splitlines() if f'clearance_reloads_total{{result="{result}"}}' in one), "0"
    )
    return float(line.split()[-1])


def test_a_changed_policy_file_is_in_force_without_a_restart(house: Server) -> None:
    assert effect(house) == "allow"
    assert house.directory is not None
    (house.directory / "policies/one.yaml").write_text(policy("block"))
    assert becomes(house, "deny")
    (house.directory / "policies/one.yaml").unlink()
    assert becomes(house, "allow")
    assert house.process is not None
    assert house.process.poll() is None


def test_a_file_that_cannot_be_read_changes_nothing(house: Server) -> None:
    assert house.directory is not None
    (house.directory / "policies/one.yaml").write_text(policy("block"))
    assert becomes(house, "deny")
    (house.directory / "policies/one.yaml").write_text("- {name: files, rule: explode}\n")
    (house.directory / "policies/two.yaml").write_text("- {name: other, rule: alert}\n")
    deadline = time.monotonic() + _WITHIN_SECONDS
    while not reloads(house, "refused") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert reloads(house, "refused") >= 1
    assert effect(house) == "deny"


def test_sighup_reads_the_files_at_once(house: Server) -> None:
    before = reloads(house, "applied")
    assert house.process is not None
    os.kill(house.process.pid, signal.SIGHUP)
    deadline = time.monotonic() + _WITHIN_SECONDS
    while reloads(house, "applied") == before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert reloads(house, "applied") == before + 1
    assert effect(house) == "allow"
