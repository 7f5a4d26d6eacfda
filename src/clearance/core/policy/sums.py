"""Compiles sum_within and distinct_within: conditions over the values that past actions carried."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from clearance.core.policy.located import Located
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, did_you_mean
from clearance.core.policy.truth import FALSE, UNKNOWN
from clearance.core.policy.values import is_path, walk
from clearance.core.policy.view import View
from clearance.core.policy.vocabulary import is_fact_name
from clearance.core.policy.watch import Compiled, Parts, bound, read_limit, span
from clearance.core.policy.windows import MAX_AMOUNT, Amount, Distinct, Entry, Total, plus

_WHOLE = 2**63  # a sum of so many of these is still a float, as it is told
_LONG = 64  # a longer text is remembered by its hash
_DISTINCT_OF = ("resource", "tool", "domain")

Values = Callable[[View], Collection[Any]]
ReadAmount = Callable[[View], "Amount | None"]
Distinguished = Callable[[View], "frozenset[str] | None"]


def sum_within(parts: Parts, reader: Reader) -> Compiled | None:
    read = read_limit(parts, reader, is_whole=False)
    source = summed("sum_within", parts.at, parts.fields, reader)
    if read is None or source is None or parts.seconds is None:
        return None
    (limit, is_strict), (name, amount), seconds = read, source, parts.seconds
    exact = Decimal(repr(limit))
    watch_id, scope, match = parts.id, parts.scope, parts.match.test

    def test(view: View) -> int:
        truth = match(view)
        if not truth:
            return FALSE
        window = view.windows(scope).get(watch_id)
        present = amount(view)
        total = present or 0
        is_unknown = present is None
        if isinstance(window, Total):
            proposed = view.proposed(scope, watch_id)
            total = plus(total, window.total(view.now, without=proposed))
            is_unknown = is_unknown or window.is_unknown(view.now, without=proposed)
        if total > exact or (not is_strict and total == exact):
            return truth
        return UNKNOWN if is_unknown else FALSE

    def actual(view: View) -> Any:
        window = view.windows(scope).get(watch_id)
        present = amount(view)
        earlier = window.total(view.now) if isinstance(window, Total) else 0
        return {"earlier": float(earlier), "present": None if present is None else float(present)}

    def feed(window: Total, view: View) -> Entry:
        added = amount(view)
        return Entry(window.add(view.now, added), added)

    least = bound(limit, is_strict=is_strict)
    phrase = f"the sum of {name} over {parts.match.phrase} is {least} {span(parts)}"
    remedy = f"{name} is not known, now or earlier; supply it in payload or declare the tool's facts"
    watch = parts.watch(lambda: Total(seconds=seconds), feed, fact=name if "fact" in parts.fields else "")
    return parts.condition(phrase, test, actual, remedy), watch


def summed(
    what: str, at: Located, fields: dict[str, Located], reader: Reader
) -> tuple[str, ReadAmount] | None:
    """The fact or the argument that is added up: its name, and how its amount is read."""
    given = [key for key in ("fact", "argument") if key in fields]
    if len(given) != 1:
        message = f"{what} needs one of fact and argument: what is added up."
        reader.refuse(ProblemCode.MISSING_KEY, message, at)
        return None
    values = _reader_of(given[0], fields[given[0]], reader)
    if values is None:
        return None
    name, read = values

    def amount(view: View) -> Amount | None:
        total: Amount = 0
        for value in read(view):
            exact = exactly(value)
            if exact is None:
                return None
            total = plus(total, exact)
        return total

    return name, amount


def exactly(value: Any) -> Amount | None:
    """A number as it is written, so that 0.1 + 0.2 is 0.3; None for anything else.

    Less than nothing counts as nothing, so that a refund does not buy a further payment.
    """
    if type(value) is int:
        return value if 0 <= value < _WHOLE else Decimal(min(max(value, 0), MAX_AMOUNT))
    if type(value) is float and value - value == 0.0:
        return Decimal(repr(max(value, 0.0)))
    return None


def _reader_of(kind: str, at: Located, reader: Reader) -> tuple[str, Values] | None:
    """The values of a fact or at an argument path; None among them stands for one that is absent."""
    name = reader.text(at, kind)
    is_well_formed = is_fact_name(name) if kind == "fact" else is_path(name)
    if not name or not is_well_formed:
        if name:
            reader.refuse(ProblemCode.BAD_VALUE, f"This is no {kind}'s name.", at)
        return None
    if kind == "argument":
        parts = tuple(name.split("."))
        return f"argument {name}", lambda view: list(walk(view.request.action.arguments, parts))

    def of_fact(view: View) -> Collection[Any]:
        found = view.facts.get(name)
        return [None if found is None else found.value]

    return name, of_fact


def distinct_within(parts: Parts, reader: Reader) -> Compiled | None:
    read = read_limit(parts, reader, is_whole=True)
    source = _told_apart(parts, reader)
    if read is None or source is None or parts.seconds is None:
        return None
    (limit, is_strict), (name, values), seconds = read, source, parts.seconds
    least = int(limit) + 1 if is_strict else int(limit)
    watch_id, scope, match = parts.id, parts.scope, parts.match.test

    def test(view: View) -> int:
        truth = match(view)
        if not truth:
            return FALSE
        present = values(view)
        window = view.windows(scope).get(watch_id)
        is_unknown, seen = present is None, len(present or ())
        if isinstance(window, Distinct):
            seen = window.distinct(view.now, present or ())
            is_unknown = is_unknown or window.is_unknown(view.now)
        if seen >= least:
            return truth
        return UNKNOWN if is_unknown else FALSE

    def actual(view: View) -> Any:
        window = view.windows(scope).get(watch_id)
        present = values(view) or ()
        return {
            "distinct": window.distinct(view.now, present) if isinstance(window, Distinct) else len(present)
        }

    def feed(window: Distinct, view: View) -> Entry:
        return Entry(window.add(view.now, values(view)))

    least_said = bound(limit, is_strict=is_strict)
    phrase = f"{parts.match.phrase} reaches {least_said} different values of {name} {span(parts)}"
    remedy = f"{name} is not known, now or earlier; name it in the action or declare the tool"
    watch = parts.watch(lambda: Distinct(capacity=least, seconds=seconds), feed)
    return parts.condition(phrase, test, actual, remedy), watch


def _told_apart(parts: Parts, reader: Reader) -> tuple[str, Distinguished] | None:
    at = parts.fields.get("value")
    if at is None:
        message = "distinct_within needs value: what is told apart."
        reader.refuse(ProblemCode.MISSING_KEY, message, parts.at)
        return None
    if isinstance(at.value, dict):
        fields = reader.fields(at, "distinct_within value", ("argument", "fact"))
        if len(fields) != 1:
            message = "value takes one of argument and fact."
            reader.refuse(ProblemCode.MISSING_KEY, message, at)
            return None
        (kind, child), *_ = fields.items()
        found = _reader_of(kind, child, reader)
        return None if found is None else (found[0], _spelled_values(found[1]))
    word = reader.text(at, "distinct_within value")
    if word in _DISTINCT_OF:
        return word, _SOURCES[word]
    if word:
        hint = did_you_mean(word, _DISTINCT_OF)
        reader.refuse(ProblemCode.UNKNOWN_CHOICE, "There is no such value.", at, suggestion=hint)
    return None


def _spelled_values(read: Values) -> Distinguished:
    def values(view: View) -> frozenset[str] | None:
        found = read(view)
        if not all(isinstance(value, str | int | float) for value in found):
            return None
        return frozenset(_bounded(_tagged(value)) for value in found)

    return values


def _bounded(text: str) -> str:
    """The text, or its SHA-256: what is remembered has a bounded size."""
    return text if len(text) <= _LONG else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _tagged(value: str | int | float) -> str:
    kind = type(value).__name__
    # In hexadecimal, because Python refuses the decimal form of a number of thousands of digits.
    return f"{kind}:{value:x}" if isinstance(value, int) else f"{kind}:{value}"


def _domains(view: View) -> frozenset[str] | None:
    known, may_be_others = view.destinations
    return None if may_be_others else known


_SOURCES: dict[str, Distinguished] = {
    "resource": lambda view: frozenset(_bounded(one.id) for one in view.resources),
    "tool": lambda view: frozenset((_bounded(view.tool),)),
    "domain": _domains,
}
