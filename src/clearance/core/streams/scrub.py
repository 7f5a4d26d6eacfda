"""What is taken out of text that still flows, what put back, and where something may just be beginning.

The window is as long as a candidate is: from the first character that may begin a match until the text shows
that it is one or is none. No match of any length is shown in part; the bound is that of all held bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import msgspec
import re2

from clearance.core.model.patterns import NAMED
from clearance.core.redact.text import scrubbed
from clearance.core.redact.written import is_free_of
from clearance.core.streams.prefixes import beginnings

# A run of digits is looked at as a whole (`redact` takes card numbers out of the middle of it).
_WHOLE_RUNS = {"credit_card": (r"[0-9](?:[ -]?[0-9])*[ -]?",)}
_ENCODER = msgspec.json.Encoder()
_LAZY = "*?"  # such a match ends at its first end; what follows is no part of it
_ESCAPED = re.compile(rb"\\(?:u00|/)")  # an escape may hide any character
_OPAQUE = frozenset(
    {
        "arguments",  # of a tool: decided on its own
        "call_id",
        "encrypted_content",
        "encrypted_stdout",
        "id",
        "item_id",
        "obfuscation",
        "signature",
        "system_fingerprint",
        "tool_use_id",
    }
)  # members that name or seal: changed, they would be of no use, and nobody writes text there


class _Patterns:
    """Compiled once for each set of names."""

    def __init__(self, names: tuple[str, ...]) -> None:
        sources = list(chain.from_iterable(NAMED[name] for name in names))
        begun = list(chain.from_iterable(_WHOLE_RUNS.get(name, NAMED[name]) for name in names))
        lazy = [source.replace(r"|\z", "") for source in sources if _LAZY in source]
        self.names = names
        self.each = [_compiled(_WHOLE_RUNS.get(name, NAMED[name])) for name in names]
        self.found = _searched(sources)
        self.unended = _searched([_unended(source) for source in sources])
        self.each_unended = [
            _compiled([_unended(source) for source in _WHOLE_RUNS.get(name, NAMED[name])]) for name in names
        ]
        self.closed = _compiled(lazy) if lazy else None
        beginning = f"(?:{'|'.join(map(beginnings, begun))})\\z"
        self.begun = re2.compile(beginning.encode())
        self.found_or_begun = _searched([*sources, beginning])


def _compiled(sources: Sequence[str]) -> Any:
    return re2.compile("|".join(f"(?:{source})" for source in sources))


def _unended(source: str) -> str:
    """Matches also where its last word goes on."""
    return source.removesuffix(r"\b")


def _searched(sources: Sequence[str]) -> Any:
    """Tells whether there is a match, not where; several times as fast."""
    found = re2.Set.SearchSet()
    found.Add("|".join(f"(?:{source})" for source in sources))
    found.Compile()
    return found


@cache
def _patterns(names: tuple[str, ...]) -> _Patterns:
    return _Patterns(tuple(name for name in NAMED if name in names))


class Scrub:
    """The rules for the texts of one answer. `is_active` is False where every text passes as it is."""

    def __init__(self, names: tuple[str, ...], restore: Mapping[str, str]) -> None:
        self._patterns = _patterns(names) if names else None
        self._restore = dict(restore)
        self._placeholder: re.Pattern[str] | None = None
        self._opening: re.Pattern[str] | None = None  # a character with which a placeholder begins
        self._begun: frozenset[str] = frozenset()
        self._longest = 0
        if restore:
            longest_first = sorted(restore, key=len, reverse=True)
            self._placeholder = re.compile("|".join(map(re.escape, longest_first)))
            self._opening = re.compile("|".join({re.escape(text[0]) for text in restore}))
            self._begun = frozenset(text[:at] for text in restore for at in range(1, len(text)))
            self._longest = len(longest_first[0])
        self.is_active = bool(names or restore)

    def passes(self, text: str) -> bool:
        """Whether nothing in the text is to be changed, and nothing at its end begins: one look, cheap.

        False may be said of such a text too.
        """
        if self._opening is not None and self._opening.search(text) is not None:
            return False
        return self._patterns is None or self._patterns.found_or_begun.Match(text.encode()) is None

    def hits(self, text: str) -> bool:
        """False only where nothing in the text is to be changed, as it is."""
        if self._patterns is not None and self._patterns.found.Match(text) is not None:
            return True
        return self._placeholder is not None and self._placeholder.search(text) is not None

    def held_from(self, text: str, *, is_hit: bool) -> int:
        """Where something begins that more text could still change; the length of the text if nowhere."""
        at = len(text)
        if self._patterns is not None:
            raw = (self._unclosed(text) if is_hit else text).encode()
            found = self._patterns.begun.search(raw)  # over bytes it costs a quarter
            at = found.start() if found is not None else len(raw)
            if len(raw) > len(text):
                at = len(raw[:at].decode())
            at = self._beside(text, at)
        for start in range(max(0, len(text) - self._longest + 1), at):
            if text[start:] in self._begun:
                return start
        return at

    def _beside(self, text: str, at: int) -> int:
        """Where a match begins that a mark from `at` on may end: a card number right before a password."""
        assert self._patterns is not None
        if at == len(text) or self._patterns.unended.Match(text) is None:
            return at
        found = chain.from_iterable(pattern.finditer(text) for pattern in self._patterns.each_unended)
        for start, end in sorted((hit.span() for hit in found), reverse=True):
            if start < at <= end:
                at = start
        return at

    def _unclosed(self, text: str) -> str:
        """Without what is whole already, though its pattern would go on."""
        assert self._patterns is not None
        closed = self._patterns.closed
        return text if closed is None else str(closed.sub(_blanked, text))

    def uncut(self, text: str, upto: int) -> int:
        """The greatest place up to `upto` that lies within nothing to be changed."""
        spans = self._spans(text)
        while within := [start for start, end in spans if start < upto < end]:
            upto = min(within)
        return upto

    def _spans(self, text: str) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        for pattern in self._patterns.each if self._patterns is not None else ():
            spans += [found.span() for found in pattern.finditer(text)]
        if self._placeholder is not None:
            spans += [found.span() for found in self._placeholder.finditer(text)]
        return spans

    def clean(self, text: str, *, before: str = "", after: str = "") -> str:
        """The text as it may be shown. `before` and `after` stand beside it, and tell where words begin."""
        if self._patterns is not None and text:
            text = self._redacted(text, before, after)
        return self.restored(text)

    def _redacted(self, text: str, before: str, after: str) -> str:
        assert self._patterns is not None
        whole = scrubbed(before + text + after, self._patterns.names)
        if whole == before + text + after:
            return text
        if whole.startswith(before) and whole.endswith(after):
            return whole[len(before) : len(whole) - len(after)]
        return scrubbed(text, self._patterns.names)

    def restored(self, text: str) -> str:
        """Placeholders, and nothing else, put back."""
        if self._placeholder is None:
            return text
        return self._placeholder.sub(lambda found: self._restore[found[0]], text)

    def restored_json(self, text: str) -> str:
        """Placeholders within JSON text put back, as JSON."""
        if self._placeholder is None:
            return text
        return self._placeholder.sub(
            lambda found: _ENCODER.encode(self._restore[found[0]])[1:-1].decode(), text
        )

    def suspects(self, data: bytes) -> bool:
        """False only where JSON text holds nothing to be changed. One pass, cheap."""
        if _ESCAPED.search(data) is not None:
            return True
        if self._patterns is not None and not is_free_of(data, self._patterns.names):
            return True
        return self._placeholder is not None and self._placeholder.search(data.decode()) is not None

    def clean_value(self, value: Any, *, skip: frozenset[str] = frozenset()) -> Any:
        """A JSON value with every text in it cleaned; the same object where nothing changed."""
        if type(value) is str:
            return self.clean(value)
        if type(value) is list:
            items = [self.clean_value(item, skip=skip) for item in value]
            return value if all(new is old for new, old in zip(items, value, strict=True)) else items
        if type(value) is dict:
            made = {
                name: item if name in _OPAQUE or name in skip else self.clean_value(item, skip=skip)
                for name, item in value.items()
            }
            return value if all(made[name] is value[name] for name in value) else made
        return value


def _blanked(found: Any) -> str:
    return "\n" * len(found[0])
