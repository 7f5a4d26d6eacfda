"""For an RE2 pattern, one that matches every beginning of what it matches. Pure; knows no pattern by name.

Reads the part of the syntax that patterns of sensitive text are written in: literals, escapes, classes,
groups with flags, alternatives, repetitions; ValueError for the rest. Where it is not exact it matches more.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_QUANTIFIER = re.compile(r"([*+?]|\{(\d+)(,)?(\d*)\})\??")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_FLAGS = re.compile(r"\(\?[a-z]*:")


class _Part(NamedTuple):
    """`whole` matches it all; `begun` any beginning of it that is a character or more, and is "" for none."""

    whole: str
    begun: str
    is_one: bool = False  # one character: its repetition can be written out


def beginnings(pattern: str) -> str:
    """A pattern for every beginning of a match: the whole is one, nothing at all is none."""
    part, at = _alternatives(pattern, 0)
    if at != len(pattern):
        raise ValueError(f"unbalanced parenthesis at {at}")
    return part.begun


def _alternatives(source: str, at: int) -> tuple[_Part, int]:
    found: list[_Part] = []
    while True:
        part, at = _sequence(source, at)
        found.append(part)
        if source[at : at + 1] != "|":
            break
        at += 1
    if len(found) == 1:
        return found[0], at
    whole = "|".join(part.whole for part in found)
    begun = "|".join(part.begun for part in found if part.begun)
    return _Part(f"(?:{whole})", f"(?:{begun})"), at


def _sequence(source: str, at: int) -> tuple[_Part, int]:
    parts: list[_Part] = []
    while at < len(source) and source[at] not in "|)":
        atom, at = _atom(source, at)
        if repeated := _QUANTIFIER.match(source, at):
            atom, at = _repeated(atom, repeated), repeated.end()
        parts.append(atom)
    begun = ""
    for part in reversed(parts):
        begun = "|".join(filter(None, (f"{part.whole}(?:{begun})" if begun else "", part.begun)))
    return _Part("".join(part.whole for part in parts), begun), at


def _atom(source: str, at: int) -> tuple[_Part, int]:
    match source[at]:
        case "(":
            return _group(source, at)
        case "[":
            found = _CLASS.match(source, at)
            if found is None:
                raise ValueError(f"a class without an end at {at}")
            return _Part(found[0], found[0], is_one=True), found.end()
        case "\\":
            text = source[at : at + 2]
            is_place = text in (r"\b", r"\B", r"\z", r"\A")
            return _Part(text, "" if is_place else text, is_one=not is_place), at + 2
        case "^" | "$":
            return _Part(source[at], ""), at + 1
        case letter:
            return _Part(letter, letter, is_one=True), at + 1


def _group(source: str, at: int) -> tuple[_Part, int]:
    flags = _FLAGS.match(source, at)
    opening = flags[0] if flags else "(?:"
    inner, end = _alternatives(source, flags.end() if flags else at + 1)
    if source[end : end + 1] != ")":
        raise ValueError(f"a group without an end at {at}")
    begun = f"{opening}{inner.begun})" if inner.begun else ""
    return _Part(f"{opening}{inner.whole})", begun), end + 1


def _repeated(atom: _Part, quantifier: re.Match[str]) -> _Part:
    """Up to one time fewer, and then a beginning: written as up to as many times, which matches no less."""
    whole = atom.whole + quantifier[0]
    match quantifier[1]:
        case "?":
            most = "1"
        case "*" | "+":
            most = ""
        case _:
            most = quantifier[4] if quantifier[3] else quantifier[2]
    if atom.is_one:
        return _Part(whole, f"{atom.whole}{{1,{most}}}")
    return _Part(whole, f"(?:{atom.whole}){{0,{most}}}{atom.begun}" if atom.begun else "")
