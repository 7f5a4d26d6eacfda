"""Real processes on one state: counts are exact, one of two wins, and a kill loses nothing acknowledged."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from clearance.adapters.store.sqlite import SqliteState
from clearance.core.model import (
    Agent,
    AgentStatus,
    Grant,
    Hold,
    HoldStatus,
    Operation,
    Person,
    Shown,
    StopLevel,
)
from clearance.ports import HoldQuery, Notice

pytestmark = pytest.mark.servers

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)

# Each line of stdin is one thing to do; its answer is one line of stdout. Arguments: directory.
_WORKER = """
import sys, threading
from datetime import UTC, datetime, timedelta
from msgspec.structs import replace
from clearance.adapters.store.sqlite import SqliteState
from clearance.core.model import AgentStatus, HoldStatus, Stop, StopKind, StopLevel

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
state = SqliteState(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    word, name, *more = line.split()
    if word == "use":
        answers = []
        def use():
            answers.append(state.grants.use_grants((name,), NOON))
        threads = [threading.Thread(target=use) for _ in range(int(more[0]))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == len(threads)
        print(sum(answers), flush=True)
    elif word == "swap":
        hold = state.holds.hold(name)
        print(int(state.holds.swap_hold(replace(hold, status=HoldStatus(more[0]), version=2))), flush=True)
    elif word == "once":
        until = NOON + timedelta(hours=1)
        print(int(state.credentials.use_once("idp", name, until=until, at=NOON)), flush=True)
    elif word == "claim":
        claimed = []
        while found := state.outbox.claim_notices(NOON, until=NOON + timedelta(hours=1), limit=7):
            claimed += [notice.notice_id for _, _, notice in found]
        print(*claimed, flush=True)
    elif word == "people":
        for number in range(int(more[0])):
            if name == "off":
                state.people.change_person(f"p{number}", lambda now: replace(now, is_active=False))
                state.agents.change_agent(f"a{number}", lambda now: replace(now, status=AgentStatus.RETIRED))
            else:
                state.people.change_person(f"p{number}", lambda now: replace(now, email="new"))
                state.agents.change_agent(f"a{number}", lambda now: replace(now, team="new"))
        print("done", flush=True)
    elif word in ("set_stop", "tighten_stop"):
        for number in range(int(more[1])):
            stop = Stop(kind=StopKind.AGENT, name=f"{name}{number}", level=StopLevel(more[0]), reason="r",
                        by="b", at=NOON)
            getattr(state.brakes, word)(stop)
        print("done", flush=True)
"""

# Makes, answers and counts until it is killed, and prints what was acknowledged. Arguments: directory, name.
_WRITER = """
import itertools, sys
from datetime import UTC, datetime, timedelta
from msgspec.structs import replace
from clearance.adapters.store.sqlite import SqliteState
from clearance.core.model import HoldStatus

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
state = SqliteState(sys.argv[1])
pattern = state.holds.hold("hold_pattern")
for step in itertools.count():
    hold = replace(pattern, hold_id=f"hold_{sys.argv[2]}_{step}")
    state.holds.add_hold(hold)
    print("made", hold.hold_id, flush=True)
    assert state.holds.swap_hold(replace(hold, status=HoldStatus.DENIED, version=2))
    print("denied", hold.hold_id, flush=True)
    assert state.grants.use_grants(("grant_a",), NOON)
    print("used", "grant_a", flush=True)
"""


class Worker:
    """A process that does one thing at a time for a test."""

    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-c", _WORKER, str(root)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.answer() == "ready"

    def ask(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate(timeout=20)
        assert self.process.returncode == 0


def hold(name: str) -> Hold:
    return Hold(
        hold_id=f"hold_{name}",
        action_id=f"act_{name}",
        run_id="run-a",
        agent="crm",
        requirements=(),
        shown=Shown(agent="crm", run_id="run-a", tool="refund", operation=Operation.UPDATE),
        shown_hash="s",
        call_hash="c",
        policy_version="1",
        binding="b",
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=10),
    )


def grant(*, most_uses: int) -> Grant:
    return Grant(
        grant_id="grant_a",
        agent="crm",
        tool="refund",
        most_uses=most_uses,
        by="ann",
        created_at=NOON,
        expires_at=NOON + timedelta(hours=1),
    )


def test_of_fifty_uses_in_two_processes_a_grant_of_twenty_allows_twenty(root: Path) -> None:
    state = SqliteState(root)
    state.grants.add_grant(grant(most_uses=20))
    workers = [Worker(root) for _ in range(2)]
    for worker in workers:
        worker.ask("use grant_a 25")
    assert sum(int(worker.answer()) for worker in workers) == 20
    assert state.grants.grant("grant_a") == replace(grant(most_uses=20), used=20)
    for worker in workers:
        worker.end()
    state.close()


def test_of_two_processes_that_answer_a_hold_one_wins_and_one_token_is_taken_once(root: Path) -> None:
    state = SqliteState(root)
    workers = [Worker(root) for _ in range(2)]
    for number in range(20):
        state.holds.add_hold(hold(str(number)))
        for worker, status in zip(workers, (HoldStatus.APPROVED, HoldStatus.DENIED), strict=True):
            worker.ask(f"swap hold_{number} {status}")
        won = [worker.answer() == "1" for worker in workers]
        assert won.count(True) == 1
        found = state.holds.hold(f"hold_{number}")
        assert found is not None
        assert found.status is (HoldStatus.APPROVED if won[0] else HoldStatus.DENIED)
        for worker in workers:
            worker.ask(f"once token-{number}")
        assert [worker.answer() for worker in workers].count("1") == 1
    for worker in workers:
        worker.end()
    state.close()


def test_a_killed_process_has_lost_no_change_that_it_acknowledged(root: Path) -> None:
    state = SqliteState(root)
    state.holds.add_hold(hold("pattern"))
    state.grants.add_grant(grant(most_uses=1_000_000))
    chance = random.Random(7)
    made: set[str] = set()
    denied: set[str] = set()
    used = 0
    for number in range(4):
        command = [sys.executable, "-c", _WRITER, str(root), str(number)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        timer = threading.Timer(chance.uniform(0.02, 0.15), process.send_signal, [signal.SIGKILL])
        timer.start()
        lines += process.stdout.readlines()
        assert process.wait(10) == -signal.SIGKILL
        for word, name in (line.split() for line in lines if line.endswith("\n")):
            made |= {name} if word == "made" else set()
            denied |= {name} if word == "denied" else set()
            used += word == "used"
    assert denied
    closed = {one.hold_id for one in state.holds.holds(HoldQuery(status=HoldStatus.DENIED, limit=100_000))}
    waiting = {one.hold_id for one in state.holds.holds(HoldQuery(status=HoldStatus.PENDING, limit=100_000))}
    assert denied <= closed
    assert made <= closed | waiting
    counted = state.grants.grant("grant_a")
    assert counted is not None
    assert used <= counted.used <= used + 4  # each may have been killed before it could say so
    state.close()


def test_a_breaker_never_loosens_what_a_person_sets_at_the_same_moment(tmp_path: Path) -> None:
    state = SqliteState(tmp_path)
    workers = [Worker(tmp_path) for _ in range(2)]
    workers[0].ask("set_stop agent quarantined 200")
    workers[1].ask("tighten_stop agent held 200")
    assert [worker.answer() for worker in workers] == ["done", "done"]
    assert {stop.level for stop in state.brakes.stops()} == {StopLevel.QUARANTINED}
    assert len(state.brakes.stops()) == 200
    for worker in workers:
        worker.end()
    state.close()


def test_no_change_by_one_process_undoes_that_of_another(tmp_path: Path) -> None:
    state = SqliteState(tmp_path)
    for number in range(100):
        state.people.add_person(Person(name=f"p{number}", created_at=NOON))
        state.agents.add_agent(Agent(name=f"a{number}", created_at=NOON))
    workers = [Worker(tmp_path) for _ in range(2)]
    workers[0].ask("people off 100")
    workers[1].ask("people other 100")
    assert [worker.answer() for worker in workers] == ["done", "done"]
    assert {(one.is_active, one.email) for one in state.people.people()} == {(False, "new")}
    assert {(one.status, one.team) for one in state.agents.agents()} == {(AgentStatus.RETIRED, "new")}
    for worker in workers:
        worker.end()
    state.close()


def test_a_notice_is_claimed_by_one_process_only(tmp_path: Path) -> None:
    state = SqliteState(tmp_path)
    names = [f"note_{number}" for number in range(300)]
    for name in names:
        state.outbox.add_notice(Notice(notice_id=name, kind="hold_opened", at=NOON, body={}), to="ops")
    workers = [Worker(tmp_path) for _ in range(2)]
    for worker in workers:
        worker.ask("claim now")
    assert sorted(" ".join(worker.answer() for worker in workers).split()) == sorted(names)
    for worker in workers:
        worker.end()
    state.close()
