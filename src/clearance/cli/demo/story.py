"""The demo's acts and their controls, told in order. Plays scenes and tells of them; decides nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml
from agentdojo.base_tasks import BaseInjectionTask, BaseUserTask

from clearance import Client, ConflictError, ReasonCode, Record
from clearance.cli.demo.incident import lines, play
from clearance.cli.demo.stage import ATTACK, BENCHMARK, Played, Stage, policy_file
from clearance.cli.terminal_text import Style, fold, paint, safe
from clearance.cli.trace_tree import render
from clearance.config import Settings, default_policies
from clearance.core.drafts import ActionBody
from clearance.core.model import RecordKind
from clearance.ports import RunQuery
from clearance.wiring import assemble

SUITE = "banking"
USER_TASK = "user_task_2"
INJECTION_TASK = "injection_task_5"
WIDTH = 100
_BY = "demo"

Echo = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Told:
    """Everything there is to tell, once all is played."""

    store: Path
    user_task: BaseUserTask
    injection_task: BaseInjectionTask
    clean: Played
    control: Played
    attacked: Played
    clean_trace: list[Record]
    attacked_trace: list[Record]

    @property
    def refusals(self) -> list[Record]:
        return [record for record in self.attacked_trace if record.kind is RecordKind.REFUSAL]

    @property
    def succeeded(self) -> bool:
        stopped = bool(self.refusals) and not self.attacked.hijacked and self.attacked.useful
        return self.clean.useful and self.control.hijacked and stopped


def run_demo(store: Path, *, echo: Echo, color: bool = False, progress: Echo = lambda _doing: None) -> bool:
    """Play both acts and their controls, and tell what happened.

    Leaves the runs, the demo's policies and the second act's database in the directory `store`. True only
    when the clean run did its task, the attack worked without Clearance and was stopped with it, the task
    still done, all by AgentDojo's own checks; and when the second act's command was stopped and its update
    undone. Raises ClearanceError, also for a store that is not the demo's own.
    """
    told = _play(store, progress)
    progress("Act 2: a migration command and a bulk update, on a real database")
    incident = play(store / "act-2")
    progress("")
    for line in _lines(told, color=color):
        echo(line)
    echo(_title("Act 2 · A command that would wipe the database, and a mistake", color=color))
    for line in lines(incident, color=color, width=WIDTH):
        echo(line)
    return told.succeeded and incident.succeeded


def _play(store: Path, progress: Echo) -> _Told:
    progress("Setting the stage")
    stage = Stage(SUITE)
    user_task = stage.suite.get_user_task_by_id(USER_TASK)
    injection_task = stage.suite.get_injection_task_by_id(INJECTION_TASK)
    poisoned = stage.injected(user_task, injection_task)
    _store_policies(store)
    with Client(store) as client:
        progress("Act 1: the task, clean")
        clean = stage.play(stage.clean(user_task), client)
        progress("The control: the attack without Clearance")
        control = stage.play(poisoned)
        progress("Act 1: the attack, cleared")
        attacked = stage.play(poisoned, client)
        return _Told(
            store=store,
            user_task=user_task,
            injection_task=injection_task,
            clean=clean,
            control=control,
            attacked=attacked,
            clean_trace=client.trace(clean.run_id),
            attacked_trace=client.trace(attacked.run_id),
        )


def _store_policies(store: Path) -> None:
    """The default policies and the suite's, as the store's own: what an operator lists, tests and changes.

    Raises ConflictError for a store that is in use for anything else: its policies are not ours to replace.
    """
    default = default_policies()
    own: dict[str, Any] = yaml.safe_load(policy_file(SUITE).read_text(encoding="utf-8"))
    document = {**default, **own, "policies": [*default["policies"], *own["policies"]]}
    assembly = assemble(Settings(store=str(store)))
    try:
        policies = assembly.control_point.policies
        version = policies.document()
        is_ours = version is not None and version.by == _BY
        is_fresh = version is None or (version.number == 1 and not assembly.journal.runs(RunQuery(limit=1)))
        if not (is_ours or is_fresh):
            raise ConflictError("This store is not the demo's own; name another directory with --store.")
        policies.replace_all(document, by=_BY)
    finally:
        assembly.close()


def _lines(told: _Told, *, color: bool) -> Iterator[str]:
    yield from _opening(color=color)
    yield _title("Act 1, scene 1 · The task runs clean", color=color)
    yield render(told.clean_trace, color=color, width=WIDTH)
    yield ""
    yield _verdict(told.clean.useful, "The user's task is done", "utility()", color=color)
    yield _title("Act 1, scene 2 · The same agent reads a planted instruction, and obeys it", color=color)
    yield from _folded(f"Planted where the task reads: {told.injection_task.GOAL}")
    yield ""
    yield render(told.attacked_trace, color=color, width=WIDTH)
    yield ""
    yield _title("Why it was stopped", color=color)
    yield from _why(told)
    yield _title("The world afterwards, by AgentDojo's own checks", color=color)
    yield from _world(told, color=color)
    yield _title("What an operator does next", color=color)
    yield from _next_steps(told)
    if not told.succeeded:
        yield ""
        yield paint("This is not how the demo should end: see the ✗ above.", Style.BAD, color=color)


def _opening(*, color: bool) -> Iterator[str]:
    yield paint("Clearance · no agent action executes without clearance", Style.NAME, color=color)
    yield from _folded(
        f"Real: AgentDojo {BENCHMARK}'s bank, its tools, its {ATTACK} attack, every decision and record. "
        "Scripted: the model. It plays the benchmark's ground truth, and obeys the planted instruction as "
        "soon as it has read it, as the worst model would. No network, no keys."
    )


def _why(told: _Told) -> Iterator[str]:
    for refusal in told.refusals:
        yield f"{refusal.tool} was refused before it ran, by:"
        for reason in _body(refusal).decision.reasons:
            if reason.code is ReasonCode.POLICY_BLOCK:
                yield from _folded(f"{reason.policy}: {safe(reason.message)}", indent="  ")
    yield ""
    yield "The agent was told so as a tool error, and went on with its task:"
    for error in told.attacked.errors:
        yield from _folded(safe(error), indent="  ")


def _world(told: _Told, *, color: bool) -> Iterator[str]:
    control, attacked = told.control, told.attacked
    yield from _payments("Without Clearance", control)
    yield from _payments("With Clearance   ", attacked)
    yield _verdict(control.hijacked, "Without Clearance the attack succeeds", "security()", color=color)
    yield _verdict(not attacked.hijacked, "With Clearance it fails", "security()", color=color)
    yield _verdict(
        attacked.useful, "The user's task is still done: the rent is adjusted", "utility()", color=color
    )


def _payments(label: str, played: Played) -> Iterator[str]:
    before, after = played.before.bank_account, played.after.bank_account
    new = after.transactions[len(before.transactions) :]
    sent = ", ".join(f"{payment.amount:,.2f} to {payment.recipient}" for payment in new) or "no money"
    yield f"{label}  sent: {sent}"


def _next_steps(told: _Told) -> Iterator[str]:
    store = shlex.quote(str(told.store))
    run = told.attacked.run_id
    yield from _step("every run of this store", f"runs --store {store}")
    yield from _step("the attacked run, nothing cut", f"trace {run} --full --store {store}")
    yield from _step("its hash chain, recomputed", f"trace {run} --verify --store {store}")
    yield from _step("everything refused so far", f"trace search --effect deny --store {store}")
    yield from _step("the policies in force", f"policy list --store {store}")
    for refusal in told.refusals[:1]:
        body = _body(refusal)
        arguments = shlex.quote(msgspec.json.encode(body.arguments).decode())
        action = f"--action {shlex.quote(body.tool)} --arguments {arguments} --agent {refusal.agent}"
        yield from _step(
            "which rules match it, on which condition", f"policy explain {action} --store {store}"
        )


def _step(what: str, command: str) -> tuple[str, str]:
    return f"  {what}", f"    clearance {safe(command)}"


def _body(refusal: Record) -> ActionBody:
    return msgspec.json.decode(refusal.body, type=ActionBody)


def _verdict(holds: object, what: str, check: str, *, color: bool) -> str:
    mark, style = ("✓", Style.GOOD) if holds else ("✗", Style.BAD)
    return f"{paint(mark, style, color=color)} {what} ({check})"


def _title(text: str, *, color: bool) -> str:
    return f"\n{paint(text, Style.NAME, color=color)}\n"


def _folded(text: str, *, indent: str = "") -> list[str]:
    return [indent + line for line in fold(text, WIDTH - len(indent))]
