"""Holds and grants between real processes on one store: killed while held, taken up elsewhere, run once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearance.config import Settings
from clearance.core.model import ActionCall, HoldStatus, Principal, RecordKind
from clearance.wiring import Assembly, assemble
from tests.answering import LONG_AGO, approve, person

pytestmark = pytest.mark.servers
ROUNDS = 6
LONGEST_SECONDS = 0.01  # about as long as it takes from ready to its intent
POLICY = {"name": "ask", "rule": "require_approval", "condition": {"tool": "pay_out"}}
PROGRAM = """
import os, sys, time
from clearance.config import Settings
from clearance.core.model import ActionCall
from clearance.errors import PolicyViolationError
from clearance.sdk.embedded import EmbeddedBackend
from clearance.sdk.perform import perform
from clearance.sdk.unreachable import OnUnreachable
store, paid, hold_id, then = sys.argv[1:]
backend = EmbeddedBackend(Settings(store=store))
call = ActionCall(action="pay_out", arguments={"to": "ann", "cents": 100}, agent="bot", hold_id=hold_id)
holds, journal = backend.assembly.state.holds, backend.assembly.journal
def die(*_, **__):
    os.kill(os.getpid(), 9)
def then_die(do):
    return lambda *given, **named: (do(*given, **named), die())
if then == "dies before taking":
    holds.swap_hold = die
if then == "dies after taking":
    holds.swap_hold = then_die(holds.swap_hold)
if then == "dies before its intent":
    journal.append = die
if then == "dies after its intent":
    journal.append = then_die(journal.append)
print("ready", flush=True)
def pay(arguments):
    with open(paid, "a") as book:
        book.write(f"{arguments['to']} {arguments['cents']}\\n")
try:
    perform(backend, call, pay, OnUnreachable.REFUSE)
    print("paid", flush=True)
except PolicyViolationError as refused:
    print(refused.reason_code, getattr(refused, "hold_id", ""), flush=True)
if then == "stay":
    time.sleep(60)
"""
SPENDER = """
import sys, threading
from clearance.config import Settings
from clearance.core.model import ActionCall, Principal
from clearance.wiring import assemble
assembly = assemble(Settings(store=sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
call = ActionCall(action="pay_out", arguments={"cents": 1})
found = []
def one():
    found.append(assembly.control_point.clear(call, Principal(agent="bot"), door="test").allowed)
threads = [threading.Thread(target=one) for _ in range(10)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sum(found), flush=True)
assembly.close()
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Assembly]:
    assembly = assemble(Settings(store=str(tmp_path / "store")))
    assembly.control_point.policies.create(POLICY, by="test")
    yield assembly
    assembly.close()


def started(tmp_path: Path, hold_id: str = "", then: str = "end") -> subprocess.Popen[str]:
    """A process of the agent's that is about to send its call."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "store"), str(tmp_path / "paid"), hold_id, then]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert said(process) == "ready"
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def sent(tmp_path: Path, hold_id: str = "") -> str:
    with started(tmp_path, hold_id) as process:
        return said(process)


def held_and_killed(tmp_path: Path) -> str:
    """A hold whose process was killed while it was held."""
    with started(tmp_path, then="stay") as process:
        reason, hold_id = said(process).split()
        process.kill()
    assert reason == "approval_required"
    return hold_id


def payments(tmp_path: Path) -> list[str]:
    book = tmp_path / "paid"
    return book.read_text().splitlines() if book.exists() else []


def intents(office: Assembly, hold_id: str) -> int:
    action_id = office.holds.hold(hold_id).action_id
    return sum(record.kind is RecordKind.INTENT for record in office.journal.action(action_id))


def test_killed_while_held_then_approved_it_runs_exactly_once_from_a_new_process(
    office: Assembly, tmp_path: Path
) -> None:
    hold_id = held_and_killed(tmp_path)
    assert sent(tmp_path, hold_id).split() == ["approval_required", hold_id]
    assert payments(tmp_path) == []
    approve(office, hold_id)
    assert sent(tmp_path, hold_id) == "paid"
    assert [sent(tmp_path, hold_id) for _ in range(2)] == ["approval_used"] * 2
    assert payments(tmp_path) == ["ann 100"]
    assert intents(office, hold_id) == 1
    assert office.holds.hold(hold_id).status is HoldStatus.TAKEN


@pytest.mark.parametrize(
    ("then", "is_begun"),
    [
        ("dies before taking", False),
        ("dies after taking", False),
        ("dies before its intent", False),
        ("dies after its intent", True),
    ],
)
def test_killed_at_each_step_it_goes_on_if_and_only_if_its_intent_was_not_durable(
    office: Assembly, tmp_path: Path, then: str, is_begun: bool
) -> None:
    hold_id = held_and_killed(tmp_path)
    approve(office, hold_id)
    with started(tmp_path, hold_id, then) as process:
        assert said(process) == ""
    assert process.returncode == -9
    assert (intents(office, hold_id), payments(tmp_path)) == (int(is_begun), [])
    assert sent(tmp_path, hold_id) == ("approval_used" if is_begun else "paid")
    assert sent(tmp_path, hold_id) == "approval_used"
    assert intents(office, hold_id) == 1


def test_killed_anywhere_on_its_way_it_never_runs_twice_and_is_not_lost_before_its_intent(
    office: Assembly, tmp_path: Path
) -> None:
    for _ in range(ROUNDS):
        before = len(payments(tmp_path))
        hold_id = held_and_killed(tmp_path)
        approve(office, hold_id)
        with started(tmp_path, hold_id) as process:
            time.sleep(random.uniform(0, LONGEST_SECONDS))
            process.kill()
        was_begun = intents(office, hold_id) == 1
        assert sent(tmp_path, hold_id) == ("approval_used" if was_begun else "paid")
        assert sent(tmp_path, hold_id) == "approval_used"
        assert intents(office, hold_id) == 1
        assert len(payments(tmp_path)) - before in ((0, 1) if was_begun else (1,))


def test_processes_that_take_up_one_approval_at_once_run_it_once(office: Assembly, tmp_path: Path) -> None:
    hold_id = held_and_killed(tmp_path)
    approve(office, hold_id)
    racing = [started(tmp_path, hold_id) for _ in range(4)]
    told = []
    for process in racing:
        with process:
            told.append(said(process))
    assert sorted(told) == ["approval_used"] * 3 + ["paid"]
    assert payments(tmp_path) == ["ann 100"]


def test_a_grant_is_not_used_beyond_its_count_by_fifty_calls_of_five_processes(
    office: Assembly, tmp_path: Path
) -> None:
    alice = person("alice")
    office.state.people.add_person(alice)
    grant = office.grants.make(alice, agent="bot", tool="pay_out", most_uses=13)
    command = [sys.executable, "-c", SPENDER, str(tmp_path / "store")]
    pipe = subprocess.PIPE
    spending = [subprocess.Popen(command, stdout=pipe, stdin=pipe, text=True) for _ in range(5)]
    assert [said(process) for process in spending] == ["ready"] * 5
    for process in spending:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    spent = 0
    for process in spending:
        with process:
            spent += int(said(process))
    assert spent == 13
    kept = office.state.grants.grant(grant.grant_id)
    assert kept is not None
    assert kept.used == 13
    again = office.control_point.clear(
        ActionCall(action="pay_out", arguments={"cents": 1}), Principal(agent="bot"), door="test"
    )
    assert again.reason_code == "approval_required"
    assert grant.created_at > LONG_AGO
