"""Drives a guard as a door would: feeds chunks, answers what it asks, and keeps what left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from clearance.core.dialects.answer import Dialect, ToolCall
from clearance.core.dialects.ruling import Allowed, Ruling
from clearance.core.model.judged import ResultRules
from clearance.core.streams import (
    AskText,
    AskTool,
    Fail,
    Forward,
    Step,
    StreamGuard,
    TextRuling,
)


@dataclass
class Seen:
    """What came out. `parts` are the single Forwards, in order."""

    guard: StreamGuard
    parts: list[bytes] = field(default_factory=list)
    asked: list[ToolCall] = field(default_factory=list)
    texts: list[tuple[str, ...]] = field(default_factory=list)
    failed: Fail | None = None

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)


def allow(_: ToolCall) -> Ruling:
    return Allowed()


def allow_text(_: tuple[str, ...]) -> TextRuling:
    return Allowed()


def drive(
    dialect: Dialect,
    chunks: Iterable[bytes],
    *,
    rules: ResultRules | None = None,
    restore: Mapping[str, str] | None = None,
    rule: Callable[[ToolCall], Ruling] = allow,
    judge: Callable[[tuple[str, ...]], TextRuling] = allow_text,
    late: bool = False,
) -> Seen:
    """`late` decides only when the upstream has ended."""
    guard = StreamGuard(dialect, rules or ResultRules(), restore=restore)
    seen = Seen(guard)
    waiting: list[Step] = []

    def take(steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Forward(data=data):
                    seen.parts.append(data)
                case Fail():
                    assert seen.failed is None
                    seen.failed = step
                case _:
                    waiting.append(step)
        while waiting and not late:
            answer(waiting.pop(0))

    def answer(step: Step) -> None:
        match step:
            case AskTool(call=call):
                seen.asked.append(call)
                take(guard.decided(call, rule(call)))
            case AskText(texts=texts):
                seen.texts.append(texts)
                take(guard.judged(judge(texts)))

    for chunk in chunks:
        take(guard.feed(chunk))
    take(guard.end())
    late = False
    take([])
    return seen


def split(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
