"""The tree of a run, drawn from records that are made here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clearance.cli.terminal_text import columns
from clearance.cli.trace_tree import render
from clearance.core import drafts
from clearance.core.model import (
    Action,
    Context,
    Decision,
    Draft,
    Effect,
    Environment,
    Mode,
    Operation,
    OutcomeStatus,
    Principal,
    Reason,
    ReasonCode,
    Record,
    RecordKind,
    Request,
    Resource,
)
from clearance.core.model.record import GENESIS, seal

START = datetime(2026, 7, 14, 9, 12, 3, tzinfo=UTC)
FREE = Decision(
    effect=Effect.ALLOW,
    reasons=(Reason(code=ReasonCode.NO_POLICY_MATCHED, message="No policy applies."),),
)
ALERT = Decision(
    effect=Effect.ALLOW,
    reasons=(Reason(code=ReasonCode.POLICY_ALERT, policy="mass_email", message="63 recipients."),),
)
REFUSED = Decision(
    effect=Effect.DENY,
    reasons=(
        Reason(code=ReasonCode.POLICY_BLOCK, policy="no_transfers", message="Not now.", certain=False),
        Reason(code=ReasonCode.POLICY_BLOCK, policy="tomorrow", message="Never.", mode=Mode.SHADOW),
    ),
)
HELD = Decision(
    effect=Effect.DENY,
    reasons=(Reason(code=ReasonCode.APPROVAL_REQUIRED, policy="four_eyes", message="Ask a person."),),
)


class Journal:
    """One run, record by record."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, draft: Draft) -> Record:
        last = self.records[-1].hash if self.records else GENESIS
        place = len(self.records) + 1
        record = seal(draft, seq=place, prev_hash=last, position=place, prev_chain=GENESIS)
        self.records.append(record)
        return record

    def start(self, goal: str = "pay the bill") -> Journal:
        self.add(drafts.run_started("run_1", agent="payer", goal=goal, at=START))
        return self

    def act(
        self,
        tool: str,
        decision: Decision = FREE,
        *,
        seconds: float = 0.0,
        kind: RecordKind = RecordKind.INTENT,
        arguments: dict[str, Any] | None = None,
        parent: str = "",
        name: str = "",
    ) -> Record:
        at = START + timedelta(seconds=seconds)
        request = Request(
            principal=Principal(agent="payer"),
            action=Action(tool=tool, operation=Operation.SEND),
            resources=(Resource(kind="account", name="GB29", environment=Environment.PRODUCTION),),
            context=Context(run_id="run_1", action_id=name or tool, at=at, parent_id=parent),
        )
        return self.add(drafts.action(kind, request, decision, at=at, arguments=arguments or {}))

    def close(self, of: Record, status: OutcomeStatus, *, seconds: float, **told: Any) -> None:
        at = START + timedelta(seconds=seconds)
        self.add(drafts.outcome(of, at=at, status=status, told=drafts.told(status, **told)))

    def end(self, *, seconds: float) -> None:
        at = START + timedelta(seconds=seconds)
        self.add(drafts.run_ended("run_1", agent="payer", at=at, status=OutcomeStatus.SUCCEEDED))


def tree(journal: Journal, *, color: bool = False, width: int = 100, full: bool = False) -> str:
    return render(journal.records, color=color, width=width, full=full)


def test_a_whole_run_reads_from_goal_to_end() -> None:
    journal = Journal().start()
    model = journal.act("model_call", seconds=0.012, name="a1")
    journal.close(model, OutcomeStatus.SUCCEEDED, seconds=1.2, result={"call": "send_money"})
    journal.act(
        "send_money",
        REFUSED,
        seconds=1.4,
        kind=RecordKind.REFUSAL,
        arguments={"amount": 9000},
        parent="a1",
        name="a2",
    )
    journal.end(seconds=2)
    assert tree(journal, width=96) == (
        "run_1  payer  2026-07-14 09:12:03 UTC\n"
        "goal  pay the bill\n"
        "2 actions · 1 REFUSED at +1.400s · ended after 2.0s\n"
        "\n"
        "  +0.012s  ├─ ✓ allowed  model_call  send  account:GB29 (production)\n"
        "           │  │  because    No policy applies. [no_policy_matched]\n"
        '           │  │  result     succeeded after 1.2s: {"call":"send_money"}\n'
        "  +1.400s  │  └─ ✗ REFUSED  send_money  send  account:GB29 (production)\n"
        '           │        arguments  {"amount":9000}\n'
        "           │        because    no_transfers: Not now. [policy_block] (a value could not be\n"
        "           │                   known, so it counts as matching)\n"
        "           │        shadow     tomorrow: Never. [policy_block] (not enforced)\n"
        "  +2.000s  └─ ■ run ended: succeeded"
    )


def test_no_records_draw_nothing() -> None:
    assert render([], color=True) == ""


@pytest.mark.parametrize(
    ("decision", "kind", "status", "mark", "heading"),
    [
        (FREE, RecordKind.INTENT, None, "… open", "1 action · not ended"),
        (FREE, RecordKind.INTENT, OutcomeStatus.SUCCEEDED, "✓ allowed", "1 action · not ended"),
        (FREE, RecordKind.INTENT, OutcomeStatus.FAILED, "✗ FAILED", "1 FAILED at +1.000s"),
        (FREE, RecordKind.INTENT, OutcomeStatus.UNKNOWN, "? UNKNOWN", "1 UNKNOWN at +1.000s"),
        (ALERT, RecordKind.INTENT, OutcomeStatus.SUCCEEDED, "! ALERT", "1 ALERT at +1.000s"),
        (
            ALERT,
            RecordKind.INTENT,
            OutcomeStatus.FAILED,
            "✗ FAILED",
            "1 FAILED at +1.000s · 1 ALERT at +1.000s",
        ),
        (REFUSED, RecordKind.REFUSAL, None, "✗ REFUSED", "1 REFUSED at +1.000s"),
        (HELD, RecordKind.HOLD, None, "‖ HELD", "1 HELD at +1.000s"),
    ],
)
def test_the_worst_that_is_true_of_an_action_stands_first(
    decision: Decision, kind: RecordKind, status: OutcomeStatus | None, mark: str, heading: str
) -> None:
    journal = Journal().start()
    record = journal.act("send_money", decision, seconds=1, kind=kind)
    if status is not None:
        journal.close(record, status, seconds=2)
    drawn = tree(journal)
    assert f"└─ {mark}" in drawn
    assert heading in drawn.splitlines()[2]


def test_a_hold_that_was_refused_in_the_end_is_one_refusal() -> None:
    journal = Journal().start()
    journal.act("send_money", HELD, kind=RecordKind.HOLD)
    journal.act("send_money", REFUSED, kind=RecordKind.REFUSAL)
    assert "1 action · 1 REFUSED" in tree(journal)
    assert "HELD" not in tree(journal)


def test_long_values_are_cut_and_shown_whole_on_request() -> None:
    journal = Journal().start()
    journal.act("send_money", arguments={"text": "x" * 300 + "END"})
    assert all(columns(line) <= 80 for line in tree(journal, width=80).splitlines())
    assert "…" in tree(journal, width=80)
    assert "END" not in tree(journal, width=80)
    full = tree(journal, width=80, full=True)
    assert full.count("x") >= 300
    assert "END" in full
    assert all(columns(line) <= 80 for line in full.splitlines())


def test_reasons_are_never_cut() -> None:
    journal = Journal().start()
    reason = Reason(code=ReasonCode.POLICY_BLOCK, policy="p", message="because " * 60 + "END")
    journal.act("send_money", Decision(effect=Effect.DENY, reasons=(reason,)), kind=RecordKind.REFUSAL)
    assert "END [policy_block]" in " ".join(tree(journal, width=60).split())


def test_colours_come_only_when_asked_for_and_say_the_same_words() -> None:
    journal = Journal().start()
    journal.act("send_money", REFUSED, kind=RecordKind.REFUSAL)
    assert "\x1b" not in tree(journal)
    painted = tree(journal, color=True)
    assert "\x1b[1;31m✗ REFUSED\x1b[0m" in painted
    for code in ("1;31", "1;33", "32", "1", "2", "35", "0"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted == tree(journal)


HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e\u2066\u200b\U000e0041\n"


def hostile_records() -> Iterator[Record]:
    journal = Journal().start(HOSTILE)
    record = journal.act(HOSTILE, REFUSED, arguments={HOSTILE: HOSTILE})
    journal.close(record, OutcomeStatus.FAILED, seconds=1, result=HOSTILE, error=HOSTILE)
    journal.add(drafts.note("run_1", agent="payer", at=START, text=HOSTILE))
    journal.end(seconds=2)
    for record in journal.records:
        yield replace(
            record, run_id=HOSTILE, agent=HOSTILE, status=record.status and HOSTILE, operation=HOSTILE
        )


@pytest.mark.parametrize("full", [False, True])
def test_nothing_recorded_can_steer_the_terminal(full: bool) -> None:
    drawn = render(list(hostile_records()), color=False, full=full)
    assert all(char == "\n" or char.isprintable() for char in drawn)
    assert "\\x1b[2J" in drawn


@settings(max_examples=40)
@given(st.text())
def test_no_text_whatever_steers_the_terminal(text: str) -> None:
    journal = Journal().start()
    journal.add(
        replace_body(
            drafts.note("run_1", agent="payer", at=START, text=""),
            {"text": text.encode("utf-8", "replace").decode()},
        )
    )
    assert all(char == "\n" or char.isprintable() for char in tree(journal))


def replace_body(draft: Draft, body: dict[str, str]) -> Draft:
    return replace(draft, body=msgspec.Raw(msgspec.json.encode(body)))


@pytest.mark.parametrize("body", [b"{}", b"[]", b"nonsense", b'{"decision": 3}', b"\xff"])
def test_a_changed_body_is_named_and_the_rest_is_drawn(body: bytes) -> None:
    journal = Journal().start()
    journal.act("send_money")
    journal.act("send_email", seconds=1)
    records = [journal.records[0], replace(journal.records[1], body=msgspec.Raw(body)), journal.records[2]]
    drawn = render(records, color=False)
    assert "its record cannot be read" in drawn
    assert "send_email" in drawn


def test_a_run_whose_beginning_was_pruned_says_so() -> None:
    journal = Journal().start()
    record = journal.act("send_money")
    journal.close(record, OutcomeStatus.SUCCEEDED, seconds=1)
    drawn = render(journal.records[2:], color=False)
    assert "records 1 to 2 are not kept any more" in drawn
    assert "decision   its record is not kept any more" in drawn


def test_deep_nesting_stays_readable_and_quick() -> None:
    journal = Journal().start()
    for depth in range(3_000):
        journal.act(f"step_{depth}", parent=f"step_{depth - 1}")
    lines = tree(journal, width=100).splitlines()
    assert sum("step_" in line for line in lines) == 3_000
    assert max(columns(line) for line in lines) <= 110


def test_wide_characters_count_as_two_columns() -> None:
    journal = Journal().start("日" * 200)
    assert all(columns(line) <= 60 for line in tree(journal, width=60).splitlines())
