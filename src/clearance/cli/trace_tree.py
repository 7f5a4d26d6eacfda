"""One run as a tree for a terminal: goal, actions with decisions and reasons, results, notes, end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from typing import Any

import msgspec
from msgspec import Struct

from clearance.cli.radius_text import radius_lines
from clearance.cli.reason_text import reason_label, reason_text
from clearance.cli.terminal_text import Style, columns, cut, duration, fold, paint, safe
from clearance.cli.trace_steps import Standing, Step, read_body, steps_of, text_of
from clearance.core.drafts import ActionBody, ApprovalBody, OutcomeBody
from clearance.core.model import (
    Environment,
    OutcomeStatus,
    Record,
    RecordKind,
    Resource,
)

_LOOK: dict[Standing, tuple[str, Style]] = {
    Standing.REFUSED: ("✗ REFUSED", Style.BAD),
    Standing.HELD: ("‖ HELD", Style.WARN),
    Standing.UNKNOWN: ("? UNKNOWN", Style.WARN),
    Standing.FAILED: ("✗ FAILED", Style.BAD),
    Standing.ALERT: ("! ALERT", Style.WARN),
    Standing.OPEN: ("… open", Style.QUIET),
    Standing.ALLOWED: ("✓ allowed", Style.GOOD),
}
_ALERT = Standing.ALERT
_MARGIN = 9  # columns for the time offset
_LABEL = 11  # columns for `arguments`, `because` …
_LEAST = 24  # columns left for a value, however deep the tree
_ALWAYS_KNOWN = frozenset({"argument_bytes", "resource_count"})  # facts of every action, shown when full
_LONGEST_NAME = 48  # columns of a tool's name
_PROXIES = frozenset({"model_proxy", "mcp_proxy", "egress_proxy"})  # the doors that a program may not know of
_DEEPEST = 8  # levels that are indented; deeper ones stand at this one
_PLACES = 3  # refusals whose offsets the heading names


class _Pen(Struct, frozen=True, kw_only=True):
    """How to draw: what the caller asked for, and where the time of the run begins."""

    color: bool
    width: int
    full: bool
    start: Record

    def offset(self, record: Record) -> str:
        return "+" + _exact((record.at - self.start.at).total_seconds())

    def lines(self, text: str, width: int) -> list[str]:
        """A value from a record: in one line, or whole."""
        return fold(text, max(width, _LEAST)) if self.full else [cut(text, max(width, _LEAST))]

    def value(self, value: Any, width: int) -> list[str]:
        return self.lines(safe(msgspec.json.encode(value).decode()), width)


def render(records: Sequence[Record], *, color: bool, width: int = 100, full: bool = False) -> str:
    """The records of one run, in order, as lines without a final newline; empty for no records.

    Values are cut to `width` columns unless `full`; reasons never are. Nothing recorded reaches the
    terminal unescaped.
    """
    if not records:
        return ""
    pen = _Pen(color=color, width=width, full=full, start=records[0])
    steps = steps_of(records)
    return "\n".join([*_heading(records, steps, pen), "", *_tree(steps, pen)])


def _heading(records: Sequence[Record], steps: list[Step], pen: _Pen) -> Iterator[str]:
    first = records[0]
    at = f"{first.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    run = paint(safe(first.run_id), Style.NAME, color=pen.color)
    yield f"{run}  {safe(first.agent)}  {paint(at, Style.QUIET, color=pen.color)}"
    if first.seq > 1:
        yield paint(f"records 1 to {first.seq - 1} are not kept any more", Style.WARN, color=pen.color)
    goal = text_of(first, "goal") if first.kind is RecordKind.RUN_STARTED else ""
    label = paint("goal", Style.QUIET, color=pen.color)
    for index, line in enumerate(fold(safe(goal), pen.width - 6) if goal else ()):
        yield f"{label if index == 0 else '    '}  {line}"
    parent = text_of(first, "parent_run_id")
    if parent:
        yield paint(f"part of {safe(parent)}", Style.QUIET, color=pen.color)
    yield " · ".join(_summary(records, steps, pen))


def _summary(records: Sequence[Record], steps: list[Step], pen: _Pen) -> Iterator[str]:
    actions = [step for step, _ in _walk(steps) if step.first.action_id]
    yield f"{len(actions)} action{'' if len(actions) == 1 else 's'}"
    for standing in (Standing.REFUSED, Standing.HELD, Standing.UNKNOWN, Standing.FAILED, Standing.ALERT):
        told = [step for step in actions if step.standing is standing or (standing is _ALERT and step.alerts)]
        if told:
            places = ", ".join(pen.offset(step.first) for step in told[:_PLACES])
            more = " …" if len(told) > _PLACES else ""
            text = f"{len(told)} {standing.value} at {places}{more}"
            yield paint(text, _LOOK[standing][1], color=pen.color)
    last = records[-1]
    took = duration((last.at - pen.start.at).total_seconds())
    yield f"ended after {took}" if last.kind is RecordKind.RUN_ENDED else f"not ended, last seen after {took}"


def _walk(steps: list[Step]) -> Iterator[tuple[Step, tuple[bool, ...]]]:
    """Every step before its children; with each, whether it and its ancestors are the last of theirs."""
    waiting: list[tuple[Step, tuple[bool, ...]]] = [
        (step, (index == 0,)) for index, step in enumerate(reversed(steps))
    ]
    while waiting:
        step, last = waiting.pop()
        yield step, last
        above = last[:_DEEPEST]
        waiting += [(child, (*above, index == 0)) for index, child in enumerate(reversed(step.children))]


def _tree(steps: list[Step], pen: _Pen) -> Iterator[str]:
    for step, last in _walk(steps):
        above = "".join("   " if ended else "│  " for ended in last[:-1])
        branch = above + ("└─ " if last[-1] else "├─ ")
        rail = above + ("   " if last[-1] else "│  ") + ("│  " if step.children else "   ")
        room = pen.width - _MARGIN - 2 - columns(branch)
        margin = f"{pen.offset(step.first):>{_MARGIN}}  "
        for index, line in enumerate(_step(step, pen, room)):
            gutter = margin + branch if index == 0 else " " * (_MARGIN + 2) + rail
            yield paint(gutter, Style.QUIET, color=pen.color) + line


def _step(step: Step, pen: _Pen, room: int) -> Iterable[str]:
    """The step's lines: its head, then what belongs to it, three columns in."""
    match step.first.kind:
        case RecordKind.NOTE:
            return _remark("· note", Style.QUIET, text_of(step.first, "text"), pen, room)
        case RecordKind.RUN_ENDED:
            status = step.first.status
            style = {"succeeded": Style.GOOD, "failed": Style.BAD}.get(status, Style.PLAIN)
            return _remark(f"■ run ended: {safe(status)}", style, text_of(step.first, "error"), pen, room)
        case _:
            return _action(step, pen, room)


def _remark(mark: str, style: Style, text: str, pen: _Pen, room: int) -> Iterator[str]:
    told = pen.lines(safe(text), room - columns(mark) - 2) if text else [""]
    yield f"{paint(mark, style, color=pen.color)}  {told[0]}".rstrip()
    yield from told[1:]


def _action(step: Step, pen: _Pen, room: int) -> Iterator[str]:
    mark, style = _LOOK[step.standing]
    first = step.first
    tool = safe(first.tool) if pen.full else cut(safe(first.tool), _LONGEST_NAME)
    verb = safe(first.operation) if first.operation != first.tool else ""
    if step.body is not None and step.body.door in _PROXIES:
        verb = f"{verb}  via {step.body.door}".strip()
    resources = step.body.resources if step.body else ()
    places = ", ".join(_place(one) for one in resources if one.kind != "tool")
    room_left = room - columns(f"{mark:<9}  {tool}  {verb}  ")
    parts = (
        paint(f"{mark:<9}", style, color=pen.color),
        paint(tool, Style.NAME, color=pen.color),
        paint(verb, Style.QUIET, color=pen.color),
        cut(places, max(room_left, _LEAST)),
    )
    yield "  ".join(part for part in parts if part)
    for label, lines, look in _details(step, pen, room - 3 - _LABEL):
        for index, line in enumerate(lines):
            name = paint(f"{label if index == 0 else '':<{_LABEL}}", Style.QUIET, color=pen.color)
            yield name + paint(line, look, color=pen.color)


def _place(resource: Resource) -> str:
    known = resource.environment is not Environment.UNKNOWN
    return safe(resource.id) + (f" ({resource.environment.value})" if known else "")


_Detail = tuple[str, list[str], Style]


def _details(step: Step, pen: _Pen, room: int) -> Iterator[_Detail]:
    if step.body is not None:
        yield from _asked(step.body, pen, room)
        refused = step.standing in (Standing.REFUSED, Standing.HELD)
        for index, reason in enumerate(step.body.decision.reasons):
            label, look = reason_label(reason)
            decided = refused and index == 0
            lines = fold(reason_text(reason), max(room, _LEAST))
            yield label, lines, _LOOK[step.standing][1] if decided else look
        yield from _conditions(step.body, pen, room)
    elif step.decided is not None:
        yield "decision", ["its record cannot be read; check it with `clearance trace --verify`"], Style.WARN
    else:
        yield "decision", ["its record is not kept any more"], Style.WARN
    for record in step.said:
        yield "said", pen.lines(safe(_said(record)), room), Style.PLAIN
    for record in step.outcomes:
        yield _outcome(record, step, pen, room)
    if step.standing is Standing.OPEN:
        yield "outcome", ["none reported yet: it may be running"], Style.QUIET


def _asked(body: ActionBody, pen: _Pen, room: int) -> Iterator[_Detail]:
    if body.arguments:
        yield "arguments", pen.value(body.arguments, room), Style.PLAIN
    facts = {name: fact.value for name, fact in body.facts.items() if pen.full or name not in _ALWAYS_KNOWN}
    if facts:
        yield "facts", pen.value(facts, room), Style.QUIET
    touched = [line for text in radius_lines(body.radius) for line in pen.lines(safe(text), room)]
    if touched:
        yield "touches", touched, Style.PLAIN


def _conditions(body: ActionBody, pen: _Pen, room: int) -> Iterator[_Detail]:
    """What was done to the action before it ran."""
    if body.redacted:
        yield "redacted", pen.lines(safe(", ".join(body.redacted)), room), Style.PLAIN
    if body.approved_by:
        yield (
            "approved",
            pen.lines(safe("by " + ", ".join(answer.by for answer in body.approved_by)), room),
            Style.PLAIN,
        )
    if body.snapshot_id:
        yield "snapshot", pen.lines(safe(body.snapshot_id), room), Style.PLAIN


def _said(record: Record) -> str:
    """What one person said of a held action, or how it was closed."""
    body = read_body(record, ApprovalBody)
    if body is None:
        return "a record that cannot be read"
    if body.answer is None:
        return f"{body.status.value}: {body.why}"
    reason = f": {body.answer.reason}" if body.answer.reason else ""
    return f"{body.answer.kind.value} by {body.answer.by}{reason}"


def _outcome(record: Record, step: Step, pen: _Pen, room: int) -> _Detail:
    body = read_body(record, OutcomeBody)
    label, style = _OUTCOME.get(record.status, ("outcome", Style.PLAIN))
    took = duration(max((record.at - (step.decided or step.first).at).total_seconds(), 0))
    told = [body.why, body.error] if body else []
    if body is not None and body.result is not None:
        told.append(msgspec.json.encode(body.result).decode())
    text = ": ".join(safe(part) for part in (f"{record.status} after {took}", *told) if part)
    return label, pen.lines(text, room), style


_OUTCOME = {
    OutcomeStatus.SUCCEEDED.value: ("result", Style.PLAIN),
    OutcomeStatus.FAILED.value: ("error", Style.BAD),
    OutcomeStatus.UNKNOWN.value: ("outcome", Style.WARN),
}


def _exact(seconds: float) -> str:
    return f"{seconds:.3f}s" if seconds < 60 else duration(seconds)
