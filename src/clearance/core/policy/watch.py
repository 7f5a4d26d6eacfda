"""What conditions over the past have in common: the watch that feeds them, the span, the limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from clearance.core.policy.condition import STATEFUL_COST, Condition
from clearance.core.policy.located import Located, plain
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader
from clearance.core.policy.truth import Test
from clearance.core.policy.view import Scope, View
from clearance.core.policy.windows import Entry, Window
from clearance.core.policy.wording import clipped, rendered

# Bounds the memory of one window: so many times or values are kept per policy and run or agent.
MAX_COUNTED = 10_000


class Watch(Struct, frozen=True, kw_only=True):
    """What History has to remember for a condition. `id` is of the content: equal conditions share it.

    `feed` gives what it put into the window. `fact` is what is added up, where that is a fact.
    """

    id: str
    scope: Scope
    match: Condition
    make: Callable[[], Window]
    feed: Callable[[Any, View], Entry]
    seconds: float | None = None
    fact: str = ""


class Parts(Struct, frozen=True, kw_only=True):
    """What all four have in common, read."""

    at: Located
    kind: str
    fields: dict[str, Located]
    match: Condition
    scope: Scope
    seconds: float | None
    id: str

    def watch(
        self, make: Callable[[], Window], feed: Callable[[Any, View], Entry], *, fact: str = ""
    ) -> Watch:
        return Watch(
            id=self.id,
            scope=self.scope,
            match=self.match,
            make=make,
            feed=feed,
            seconds=self.seconds,
            fact=fact,
        )

    def condition(self, phrase: str, test: Test, actual: Callable[[View], Any], remedy: str) -> Condition:
        return Condition(
            text=f"{self.kind}: {rendered(plain(self.at))}",
            phrase=clipped(phrase),
            line=self.at.key_line,
            test=test,
            actual=actual,
            remedy=remedy,
            cost=STATEFUL_COST,
            operations=None if self.kind == "after" else self.match.operations,
            tools=None if self.kind == "after" else self.match.tools,
            is_stateful=True,
        )


Compiled = tuple[Condition, Watch]


def _whose(scope: Scope) -> str:
    return "in this run" if scope is Scope.RUN else "by this agent"


def span(parts: Parts) -> str:
    return _whose(parts.scope) + (f" within {parts.seconds:g} seconds" if parts.seconds is not None else "")


def read_limit(parts: Parts, reader: Reader, *, is_whole: bool) -> tuple[float, bool] | None:
    """The limit, and whether it has to be exceeded (or only reached)."""
    given = [key for key in ("exceeds", "at_least") if key in parts.fields]
    if len(given) != 1:
        message = f"{parts.kind} needs one of exceeds and at_least."
        reader.refuse(ProblemCode.MISSING_KEY, message, parts.at)
        return None
    at, what, is_strict = parts.fields[given[0]], f"{parts.kind} {given[0]}", given[0] == "exceeds"
    if is_whole:
        limit: float | None = reader.whole(at, what, least=0 if is_strict else 1, most=MAX_COUNTED)
    else:
        limit = reader.number(at, what, least=0)
    return None if limit is None else (limit, is_strict)


def bound(limit: float, *, is_strict: bool) -> str:
    return f"more than {limit:g}" if is_strict else f"at least {limit:g}"
