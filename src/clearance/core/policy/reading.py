"""Reads located values as what they should be. Notes every problem and goes on; raises nothing."""

from __future__ import annotations

import math
from collections.abc import Collection
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from clearance.core.model import Environment, Operation, Rule
from clearance.core.policy.located import Located
from clearance.core.policy.problems import ProblemCode
from clearance.errors import Problem

# A typo or two in a word of ten letters; looser, and names that merely end alike are taken for each other.
_CLOSE = 0.8
_NAME_LIMIT = 200
_EXCERPT = 60
_CODES: dict[type, ProblemCode] = {
    Rule: ProblemCode.UNKNOWN_RULE,
    Operation: ProblemCode.UNKNOWN_OPERATION,
    Environment: ProblemCode.UNKNOWN_ENVIRONMENT,
}
_SHAPES = {dict: "a mapping", tuple: "a list", str: "text", bool: "true or false", type(None): "empty"}

E = TypeVar("E", bound=StrEnum)


@lru_cache(maxsize=1024)
def _closest(word: str, known: tuple[str, ...]) -> str:
    return next(iter(get_close_matches(word, known, n=1, cutoff=_CLOSE)), "")


def closest(word: str, known: Collection[str]) -> str:
    """The known word this one was probably meant to be, or ""."""
    return _closest(word[:_EXCERPT], tuple(sorted(known)))


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A suggestion: the closest word; without one, what there is, when that is short enough to read."""
    found = closest(word, known)
    if found:
        return f'did you mean "{found}"?'
    listed = ", ".join(sorted(known))
    return f"known: {listed}" if listed and len(listed) <= 300 else ""


def in_order(problems: Collection[Problem]) -> list[Problem]:
    """By place, without repetitions: what two compilations share is wrong once."""
    return sorted(dict.fromkeys(problems), key=lambda one: (one.file, one.line, one.code, one.message))


def excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


def shape(at: Located) -> str:
    return _SHAPES.get(type(at.value), "a number")


class Reader:
    """Collects what is wrong while reading."""

    def __init__(self, problems: Collection[Problem] = ()) -> None:
        self.problems = list(problems)

    def refuse(self, code: ProblemCode, message: str, at: Located, *, suggestion: str = "") -> None:
        """Note a problem with a value, at the line of its key."""
        line = at.key_line or at.line
        self.problems.append(Problem(code.value, message, file=at.file, line=line, suggestion=suggestion))

    def mapping(self, at: Located, what: str) -> dict[str, Located]:
        if isinstance(at.value, dict):
            return at.value
        self.refuse(ProblemCode.BAD_TYPE, f"{what} must be a mapping, not {shape(at)}.", at)
        return {}

    def fields(self, at: Located, what: str, known: Collection[str]) -> dict[str, Located]:
        """A mapping with no other keys than the known ones."""
        fields = self.mapping(at, what)
        for key in fields.keys() - known:
            message = f'{what} has no key "{excerpt(key)}".'
            suggestion = did_you_mean(key, known)
            self.refuse(ProblemCode.UNKNOWN_KEY, message, fields[key], suggestion=suggestion)
        return {key: child for key, child in fields.items() if key in known}

    def items(self, at: Located, what: str) -> tuple[Located, ...]:
        if isinstance(at.value, tuple):
            return at.value
        self.refuse(ProblemCode.BAD_TYPE, f"{what} must be a list, not {shape(at)}.", at)
        return ()

    def text(self, at: Located, what: str) -> str:
        """Text that is not empty; "" when refused."""
        if isinstance(at.value, str) and at.value.strip():
            return at.value
        if isinstance(at.value, str):
            self.refuse(ProblemCode.BAD_VALUE, f"{what} is empty.", at)
        else:
            hint = "put it in quotes" if isinstance(at.value, bool | int | float) else ""
            self.refuse(ProblemCode.BAD_TYPE, f"{what} must be text, not {shape(at)}.", at, suggestion=hint)
        return ""

    def name(self, at: Located, what: str) -> str:
        """A short printable text."""
        text = self.text(at, what)
        if len(text) <= _NAME_LIMIT and text.isprintable():
            return text
        message = f"{what} must be printable and at most {_NAME_LIMIT} characters long."
        self.refuse(ProblemCode.BAD_VALUE, message, at)
        return ""

    def values(self, at: Located, what: str) -> tuple[Located, ...]:
        """One value, or a list of at least one."""
        if not isinstance(at.value, tuple):
            return (at,)
        if not at.value:
            self.refuse(ProblemCode.NEVER_MATCHES, f"{what} is an empty list.", at)
        return at.value

    def texts(self, at: Located, what: str) -> tuple[str, ...]:
        """One text, or a list of at least one; without what was refused."""
        texts = (self.text(child, what) for child in self.values(at, what))
        return tuple(text for text in texts if text)

    def choice(self, at: Located, kind: type[E], what: str) -> E | None:
        """One member of a closed list."""
        text = self.text(at, what)
        if not text or text in set(kind):
            return kind(text) if text else None
        code = _CODES.get(kind, ProblemCode.UNKNOWN_CHOICE)
        message = f'{what} cannot be "{excerpt(text)}".'
        self.refuse(code, message, at, suggestion=did_you_mean(text, [member.value for member in kind]))
        return None

    def number(self, at: Located, what: str, *, least: float | None = None) -> float | int | None:
        """A finite number, not below `least`; None when refused."""
        value = at.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(ProblemCode.BAD_TYPE, f"{what} must be a number, not {shape(at)}.", at)
        elif not math.isfinite(value):
            self.refuse(ProblemCode.NEVER_MATCHES, f"{what} must be finite: nothing exceeds infinity.", at)
        elif least is not None and value < least:
            self.refuse(ProblemCode.BAD_VALUE, f"{what} must be at least {least}.", at)
        else:
            return value
        return None

    def whole(self, at: Located, what: str, *, least: int, most: int | None = None) -> int | None:
        """A whole number in bounds; None when refused."""
        value = self.number(at, what, least=least)
        if value is None:
            return None
        if not isinstance(value, int):
            self.refuse(ProblemCode.BAD_TYPE, f"{what} must be a whole number.", at)
            return None
        if most is not None and value > most:
            self.refuse(ProblemCode.NUMBER_OUT_OF_RANGE, f"{what} must be at most {most}.", at)
            return None
        return value

    def scalar(self, at: Located, what: str) -> Any:
        """Text, a finite number, true or false; None when refused."""
        value = at.value
        if isinstance(value, float) and not math.isfinite(value):
            self.refuse(ProblemCode.NEVER_MATCHES, f"{what} must be finite.", at)
            return None
        if isinstance(value, str | bool | int | float):
            return value
        self.refuse(ProblemCode.BAD_TYPE, f"{what} must be text, a number, true or false.", at)
        return None
