"""Compiles conditions over the past. What is remembered of it is History's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from clearance.core.policy.condition import Condition, all_of
from clearance.core.policy.located import Located, plain
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader
from clearance.core.policy.sums import distinct_within, sum_within
from clearance.core.policy.truth import FALSE, TRUE
from clearance.core.policy.view import Scope, View
from clearance.core.policy.watch import Compiled, Parts, bound, read_limit, span
from clearance.core.policy.windows import Count, Entry, Last

MAX_SECONDS = 366 * 24 * 3600
_KEYS = {
    "after": ("match", "of", "seconds"),
    "count_within": ("match", "of", "seconds", "exceeds", "at_least"),
    "sum_within": ("fact", "argument", "match", "of", "seconds", "exceeds", "at_least"),
    "distinct_within": ("value", "match", "of", "seconds", "exceeds", "at_least"),
}

CompileMatch = Callable[[Located], Condition]


def stateful(kind: str, at: Located, *, reader: Reader, compile_match: CompileMatch) -> Compiled | None:
    """The condition and the watch that feeds it; None when it was refused."""
    noted = len(reader.problems)
    fields = reader.fields(at, kind, _KEYS[kind])
    match = compile_match(fields["match"]) if "match" in fields else all_of([])
    if match.is_stateful:
        message = "A condition over the past cannot stand inside the match of another."
        reader.refuse(ProblemCode.NESTED_HISTORY, message, fields["match"])
    scope = reader.choice(fields["of"], Scope, f"{kind} of") if "of" in fields else Scope.RUN
    seconds = _seconds(kind, scope, at, fields, reader)
    if scope is None or len(reader.problems) > noted:
        return None
    parts = Parts(
        at=at,
        kind=kind,
        fields=fields,
        match=match,
        scope=scope,
        seconds=seconds,
        id=_content_hash(kind, at, scope),
    )
    return _COMPILERS[kind](parts, reader)


def _seconds(
    kind: str, scope: Scope | None, at: Located, fields: dict[str, Located], reader: Reader
) -> float | None:
    if "seconds" not in fields:
        if kind != "after" or scope is Scope.AGENT:
            message = f"{kind} needs seconds: how far back it looks."
            reader.refuse(ProblemCode.MISSING_KEY, message, at)
        return None
    seconds = reader.number(fields["seconds"], f"{kind} seconds")
    if seconds is not None and seconds <= 0:
        message = f"{kind} seconds must be more than 0: nothing happens within no time."
        reader.refuse(ProblemCode.NEVER_MATCHES, message, fields["seconds"])
    if seconds is not None and seconds > MAX_SECONDS:
        message = f"{kind} seconds must be at most {MAX_SECONDS}."
        reader.refuse(ProblemCode.NUMBER_OUT_OF_RANGE, message, fields["seconds"])
    return seconds


def _content_hash(kind: str, at: Located, scope: Scope) -> str:
    content = {**plain(at), "of": scope.value}
    text = json.dumps([kind, content], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _after(parts: Parts, _reader: Reader) -> Compiled:
    watch_id, scope, seconds = parts.id, parts.scope, parts.seconds

    def test(view: View) -> int:
        window = view.windows(scope).get(watch_id)
        if not isinstance(window, Last):
            return FALSE
        proposed = view.proposed(scope, watch_id)
        without = None if proposed is None else proposed.at
        return TRUE if window.is_within(view.now, seconds, without=without) else FALSE

    def actual(view: View) -> Any:
        window = view.windows(scope).get(watch_id)
        last = window.at if isinstance(window, Last) else None
        return {"seconds_since": None if last is None else round(view.now - last, 3)}

    def feed(window: Last, view: View) -> Entry:
        return Entry(window.add(view.now))

    phrase = f"{parts.match.phrase} came before {span(parts)}"
    return parts.condition(phrase, test, actual, ""), parts.watch(Last, feed)


def _count(parts: Parts, reader: Reader) -> Compiled | None:
    read = read_limit(parts, reader, is_whole=True)
    if read is None or parts.seconds is None:
        return None
    limit, is_strict = read
    # The present action is one of them, so that one fewer has to have been before.
    enough, seconds = int(limit) if is_strict else int(limit) - 1, parts.seconds
    watch_id, scope, match = parts.id, parts.scope, parts.match.test

    def test(view: View) -> int:
        truth = match(view)
        if not truth or not enough:
            return truth
        window = view.windows(scope).get(watch_id)
        if not isinstance(window, Count):
            return FALSE
        proposed = view.proposed(scope, watch_id)
        without = None if proposed is None else proposed.at
        return truth if window.is_reached(view.now, without=without) else FALSE

    def actual(view: View) -> Any:
        window = view.windows(scope).get(watch_id)
        return {"earlier": window.seen(view.now) if isinstance(window, Count) else 0, "needed": enough}

    def feed(window: Count, view: View) -> Entry:
        return Entry(window.add(view.now))

    phrase = f"{parts.match.phrase} {bound(limit, is_strict=is_strict)} times {span(parts)}"
    watch = parts.watch(lambda: Count(enough=enough, seconds=seconds), feed)
    return parts.condition(phrase, test, actual, _match_remedy(parts)), watch


def _match_remedy(parts: Parts) -> str:
    return f"whether the action is one that {parts.kind} counts is not known; declare the tool under `tools:`"


_COMPILERS: dict[str, Callable[[Parts, Reader], Compiled | None]] = {
    "after": _after,
    "count_within": _count,
    "sum_within": sum_within,
    "distinct_within": distinct_within,
}
