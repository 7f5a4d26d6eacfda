"""A held action as an approver must see it: all that is shown, and who has to answer. Prints nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from clearance.cli.human_time import relative
from clearance.cli.radius_text import radius_lines
from clearance.cli.reason_text import reason_text
from clearance.cli.terminal_text import Style, fold, paint, safe
from clearance.cli.trace_tree import render
from clearance.core.model import Environment, HoldStatus, HoldView, Record, Requirement, Shown

_LABEL = 11
_LEAST = 24
_MOST_TRACE_LINES = 40  # of the run so far; `clearance trace` has the rest
_LOOK = {
    HoldStatus.PENDING: Style.WARN,
    HoldStatus.APPROVED: Style.GOOD,
    HoldStatus.TAKEN: Style.GOOD,
    HoldStatus.DENIED: Style.BAD,
    HoldStatus.EXPIRED: Style.BAD,
    HoldStatus.VOID: Style.BAD,
}


def hold_lines(
    hold: HoldView, records: Sequence[Record], *, now: datetime, color: bool, width: int
) -> Iterator[str]:
    """Lines for a terminal. `records` are the run's; those up to the hold are shown."""
    name = paint(safe(hold.hold_id), Style.NAME, color=color)
    yield f"{name}  {paint(hold.status.value.upper(), _LOOK[hold.status], color=color)}"
    for label, text in _told(hold, now):
        for index, line in enumerate(_folded(safe(text), max(width - _LABEL - 2, _LEAST))):
            head = paint(f"{label if index == 0 else '':<{_LABEL}}", Style.QUIET, color=color)
            yield f"  {head}{line}"
    before = [record for record in records if record.seq <= hold.shown.steps_before]
    if before:
        yield ""
        yield from _run_so_far(hold, before, color=color, width=width)


def count_text(shown: Shown) -> str:
    """How many things it touches, in a few characters; `?` where that is not known."""
    counts = [radius.count for radius in shown.radius]
    if counts:
        return "?" if None in counts else f"{sum(count or 0 for count in counts):,}"
    fact = shown.facts.get("record_count", shown.facts.get("recipient_count"))
    value = fact.get("value") if isinstance(fact, dict) else None
    return "" if fact is None else f"{value:,}" if isinstance(value, int) else "?"


def why_text(hold: HoldView) -> str:
    """The sentence that decided."""
    return hold.shown.reasons[0].message if hold.shown.reasons else ""


def _told(hold: HoldView, now: datetime) -> Iterator[tuple[str, str]]:
    shown = hold.shown
    yield "asked", _when(hold.created_at, now)
    yield ("expires" if hold.is_open else "until"), _when(hold.expires_at, now)
    if hold.closed_at is not None:
        yield "closed", f"{_when(hold.closed_at, now)}: {hold.why}"
    yield "agent", _who(shown)
    for actor in shown.on_behalf_of:
        roles = f", roles {', '.join(actor.roles)}" if actor.roles else ""
        yield "for", f"{actor.kind.value} {actor.name}{roles}"
    if shown.goal:
        yield "goal", shown.goal
    yield "run", f"{shown.run_id}, {shown.steps_before} records before this, through the door {shown.door}"
    yield "action", f"{shown.tool}  {shown.operation.value}"
    for resource in shown.resources:
        known = resource.environment is not Environment.UNKNOWN
        yield "on", resource.id + (f" ({resource.environment.value})" if known else "")
    yield "arguments", _json(shown.arguments)
    for name, fact in shown.facts.items():
        yield "fact", _fact(name, fact)
    for line in radius_lines(shown.radius):
        yield "touches", line
    for reason in shown.reasons:
        yield "because", reason_text(reason)
    for asked in hold.requirements:
        yield "needs", _needs(hold, asked)
    for answer in hold.answers:
        advance = f" in advance ({answer.grant_id})" if answer.grant_id else ""
        why = f": {answer.reason}" if answer.reason else ""
        yield "answered", f"{answer.kind.value} by {answer.by}{advance}, {_when(answer.at, now)}{why}"
    yield "shown", hold.shown_hash


def _who(shown: Shown) -> str:
    team = f", team {shown.team}" if shown.team else ""
    owner = f", owner {shown.owner}" if shown.owner else ""
    return shown.agent + team + owner


def _fact(name: str, fact: Any) -> str:
    """Who vouches for it is half of what it says."""
    if not isinstance(fact, dict):
        return f"{name} {_json(fact)}"
    value = fact.get("value")
    return f"{name} {'not known' if value is None else _json(value)} (from {fact.get('source', 'nobody')})"


def _needs(hold: HoldView, asked: Requirement) -> str:
    said = hold.yeses(asked)
    team = f" of team {asked.team}" if asked.team else ""
    eyes = ", not by whoever asked for it or owns the agent" if asked.four_eyes else ""
    who = f"{asked.count} {asked.role.value}{'s' if asked.count > 1 else ''}{team}{eyes}"
    done = f"; {len(said)} of {asked.count} said yes" + (f": {', '.join(said)}" if said else "")
    note = f" ({asked.message})" if asked.message else ""
    return f"{asked.policy}: {who}{note}{done}"


def _when(at: datetime, now: datetime) -> str:
    return f"{relative(at, now)} ({at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _folded(text: str, width: int) -> list[str]:
    return fold(text, width)


def _run_so_far(hold: HoldView, before: list[Record], *, color: bool, width: int) -> Iterator[str]:
    lines = render(before, color=color, width=width).splitlines()
    if len(lines) > _MOST_TRACE_LINES:
        left = len(lines) - _MOST_TRACE_LINES
        yield f"the run so far ({left} lines before these: clearance trace {safe(hold.run_id)})"
        lines = lines[left:]
    else:
        yield "the run so far"
    yield from lines
