"""kill -9 under load: what was answered "allowed" has its intent in the store; no gap, no broken chain."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest

from clearance.adapters.store import SqliteJournal
from clearance.core.model import RecordKind
from clearance.runtime.sweep import close_left_behind
from clearance.wiring import utc_now
from tests.conftest import Server, make_server

pytestmark = pytest.mark.acceptance
ROUNDS = 20
CALLERS = 8


def test_twenty_kills_under_load_lose_no_acknowledged_intent_or_outcome(tmp_path: Path) -> None:
    server = make_server(tmp_path / "store")
    allowed: list[str] = []
    told: list[str] = []
    for _ in range(ROUNDS):
        server.start()
        callers = [threading.Thread(target=load, args=(server, allowed, told)) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        enough = len(allowed) + 60
        for _ in range(3_000):
            if len(allowed) >= enough:
                break
            threading.Event().wait(0.002)
        server.kill()
        for caller in callers:
            caller.join(timeout=30)
    assert len(allowed) >= ROUNDS * 60
    check(server, allowed, told)


def load(server: Server, allowed: list[str], told: list[str]) -> None:
    """Clear and report until the server is gone. Only what was answered counts."""
    with server.http() as http:
        try:
            run_id = http.post("/v1/runs", json={"goal": "load"}).json()["run_id"]
            while True:
                call = {"action": "get_row", "arguments": {"n": len(allowed)}, "run_id": run_id}
                answer = http.post("/v1/actions", json=call).json()
                assert answer["effect"] == "allow"
                allowed.append(answer["action_id"])
                path = f"/v1/actions/{answer['action_id']}/outcome"
                if http.post(path, json={"status": "succeeded"}).status_code == 200:
                    told.append(answer["action_id"])
        except httpx.HTTPError:
            return


def check(server: Server, allowed: list[str], told: list[str]) -> None:
    journal = SqliteJournal(server.store)
    verification = journal.verify()
    assert verification.problems == ()
    closed = {record.action_id for record in close_left_behind(journal, utc_now)}
    outcomes = set()
    for action_id in allowed:
        kinds = [record.kind for record in journal.action(action_id)]
        assert kinds[0] is RecordKind.INTENT, action_id
        if RecordKind.OUTCOME in kinds:
            outcomes.add(action_id)
    assert outcomes >= set(told), "an acknowledged outcome is gone"
    assert outcomes == set(allowed), "an action was left open"
    assert journal.in_flight() == []
    assert closed.isdisjoint(told)
    assert journal.verify().problems == ()
    journal.close()
