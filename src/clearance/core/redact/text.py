"""Sensitive text within text: what the named patterns find, replaced. Knows no structure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import re2

from clearance.core.model.patterns import NAMED

Mark = Callable[[str], str]  # what stands for a hit
REDACTED = "[redacted]"
_LONGEST_NAME = 128  # characters: what is kept of names takes at most 2 MiB
_MAX_PASSES = 8  # a replacement may make another pattern fit; no text needs more than a few passes
_DOUBLED = str.maketrans("0123456789", "0246813579")  # twice each digit, its own digits summed
_DIGITS = re.compile(r"\b[0-9](?:[ -]?[0-9])*\b", re.ASCII)  # words of digits, as the pattern's \b means them


def _compiled(sources: Iterable[str]) -> Any:
    return re2.compile("|".join(f"(?:{source})" for source in sources))


def _tester(sources: Iterable[str]) -> Any:
    """Only whether there is a hit: on a short text it takes a quarter of what a search takes."""
    found = re2.Set.SearchSet()
    found.Add("|".join(f"(?:{source})" for source in sources))
    found.Compile()
    return found


_PATTERN: dict[str, Any] = {name: _compiled(sources) for name, sources in NAMED.items()}
_TESTER: dict[str, Any] = {name: _tester(sources) for name, sources in NAMED.items()}


def clean_text(text: str) -> str:
    """The text without secrets, NULs and lone surrogates: for messages and whatever else is shown."""
    return scrubbed(printable(text), ("secret",)) if found(text, ("secret",)) else text


def clean_name(name: str) -> str:
    """The same for what comes again and again: the name of a tool, a model, a fact."""
    return _clean_name(name) if len(name) <= _LONGEST_NAME else clean_text(name)


@lru_cache(maxsize=4_096)
def _clean_name(name: str) -> str:
    return clean_text(name)


def printable(text: str) -> str:
    """Without NUL, and without halves of surrogate pairs, which no encoding carries."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def found(text: str, names: Sequence[str]) -> bool:
    """False only where no named pattern finds anything, in the text or in any line of it."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: it is looked at text by text
        return True
    if b"\0" in raw:
        return True
    for name in names:  # noqa: SIM110 - half the time of `any`, and every record is looked through here
        if _TESTER[name].Match(raw):
            return True
    return False


def scrubbed(text: str, names: Sequence[str]) -> str:
    """Every hit of the named patterns replaced, until none is left."""
    for _ in range(_MAX_PASSES):
        before = text
        for name in names:
            if not _TESTER[name].Match(text.encode()):
                continue
            mark = f"[redacted:{name}]"
            text = replaced(text, name, lambda _, mark=mark: mark)  # type: ignore[misc]
        if text == before:
            return text
    return REDACTED


def replaced(text: str, name: str, mark: Mark) -> str:
    """Every hit of one named pattern, replaced once."""
    if name == "credit_card":
        return _DIGITS.sub(lambda run: _without_cards(run, mark), text)
    made: str = _PATTERN[name].sub(lambda hit: mark(hit[0]), text)
    return made


def _without_cards(run: re.Match[str], mark: Mark) -> str:
    """A run of digits without its card numbers: whole groups of 13 to 19 digits that pass the Luhn test."""
    groups = re.split("([ -])", run[0])  # digits at even places, what separates them between
    luhn = _Luhn("".join(groups[::2]))
    kept: list[str] = []
    start = digits = 0
    while start < len(groups):
        end = _card_end(groups, start, luhn, digits)
        kept.append(mark("".join(groups[start:end])) if end else groups[start])
        end = max(end, start + 1)
        digits += sum(map(len, groups[start:end:2]))
        kept.extend(groups[end : end + 1])
        start = end + 1
    return "".join(kept)


def _card_end(groups: Sequence[str], start: int, luhn: _Luhn, digits: int) -> int:
    """Where the longest card number that begins at group `start` ends; 0 where none begins there."""
    found, last = 0, digits
    for at in range(start, len(groups), 2):
        last += len(groups[at])
        if last - digits > 19:
            break
        if last - digits >= 13 and luhn.passes(digits, last):
            found = at + 1
    return found


class _Luhn:
    """The check digit of ISO/IEC 7812-1, annex B, for any stretch of a run of digits, in constant time."""

    def __init__(self, digits: str) -> None:
        plain, doubled = [*map(int, digits)], [*map(int, digits.translate(_DOUBLED))]
        even = [
            twice if at % 2 else once for at, (once, twice) in enumerate(zip(plain, doubled, strict=True))
        ]
        odd = [once if at % 2 else twice for at, (once, twice) in enumerate(zip(plain, doubled, strict=True))]
        self._sums = (
            [0, *accumulate(even)],
            [0, *accumulate(odd)],
        )  # by the parity of the last digit's place

    def passes(self, first: int, end: int) -> bool:
        sums = self._sums[(end - 1) % 2]
        return (sums[end] - sums[first]) % 10 == 0
