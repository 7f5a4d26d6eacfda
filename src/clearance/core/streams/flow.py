"""Events on their way, in order; and the texts that flow through them. Knows no wire format."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

from clearance.core.streams.scrub import Scrub
from clearance.core.streams.sse import Event

Path = tuple[str | int, ...]
Edit = Callable[[dict[str, Any]], None]
_DECODER = msgspec.json.Decoder()
_EAGER = 4_096  # characters: a candidate longer than that is looked at again when it has grown by an eighth


class _Unread(Enum):
    UNREAD = "unread"


UNREAD = _Unread.UNREAD


class Entry:
    """One event in the line. It leaves when nothing `holds` it and nothing before it is held.

    `edits` change its value; `instead` are the values that are sent in its place, if it is not None. `last`
    are asked when it leaves: by then everything before it is decided. One that is like another was not read
    when it came; it is when somebody asks for its `value`.
    """

    __slots__ = ("_value", "edits", "event", "holds", "instead", "last")

    def __init__(self, event: Event, value: dict[str, Any] | _Unread | None) -> None:
        self.event = event
        self._value = value
        self.holds = 0
        self.edits: list[Edit] = []
        self.instead: list[dict[str, Any]] | None = None
        self.last: list[Callable[[Entry], None]] = []

    @property
    def value(self) -> dict[str, Any] | None:
        """None where the event carries none."""
        if self._value is UNREAD:
            self._value = _DECODER.decode(self.event.data or b"")
        return self._value  # type: ignore[return-value]

    @value.setter
    def value(self, value: dict[str, Any]) -> None:
        self._value = value


def put_at(value: Any, path: Path, new: Any) -> None:
    """Set what stands there, if it still stands there."""
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = new


class Flow:
    """One text, from its first piece to its end."""

    def __init__(self, scrub: Scrub) -> None:
        self._scrub = scrub
        self._pieces: list[tuple[Entry, Path, int]] = []
        self._pending = ""
        self._fresh: list[str] = []
        self._length = 0  # of what is pending and fresh
        self._look_at = 0
        self._before = ""  # the last character that was let go
        self._said: list[str] = []
        self._shown: list[str] | None = None  # None while what was let go is what was said

    @property
    def is_changed(self) -> bool:
        """Whether the client has another text than was said."""
        return self._shown is not None

    @property
    def said(self) -> str:
        """As the upstream sent it."""
        return "".join(self._said)

    @property
    def shown(self) -> str:
        """As the client has it, as far as it was let go."""
        if self._shown is not None:
            return "".join(self._shown)
        said = self.said
        return said[: len(said) - self._length]

    def passes(self, text: str) -> bool:
        """One more piece that may leave at once: nothing waits before it, and the rules ask nothing of it.

        False, and it is not taken, where that is not so.
        """
        if self._pieces or not self._scrub.passes(self._before + text):
            return False
        self._said.append(text)
        if self._shown is not None:
            self._shown.append(text)
        self._before = text[-1:] or self._before
        return True

    def add(self, entry: Entry, path: Path, text: str, *, is_held: bool) -> None:
        """One more piece. With `is_held` it stays until `settle`; else as long as the rules ask."""
        self._said.append(text)
        if not (self._scrub.is_active or is_held):
            return
        entry.holds += 1
        self._pieces.append((entry, path, len(text)))
        self._fresh.append(text)
        self._length += len(text)
        if not is_held and self._length >= self._look_at:
            self._look()

    def finish(self) -> None:
        """No more text comes: nothing can be beginning."""
        if self._pieces:
            self._gather()
            self._let_go(len(self._pending))
        self._before = ""

    def settle(self, text: str) -> None:
        """Let all of it go as this text."""
        if self._pieces:
            self._gather()
            self._show(len(self._pieces), self._pending, text)

    def _gather(self) -> None:
        self._pending += "".join(self._fresh)
        self._fresh.clear()

    def _look(self) -> None:
        self._gather()
        whole = self._before + self._pending
        if self._scrub.passes(whole):
            self._show(len(self._pieces), self._pending, self._pending)
            self._look_at = 0
            return
        is_hit = self._scrub.hits(whole)
        upto = max(0, self._scrub.held_from(whole, is_hit=is_hit) - len(self._before))
        if is_hit:
            self._let_go(upto)
        elif upto:
            count, end = self._pieces_until(upto)
            self._show(count, self._pending[:end], self._pending[:end])
        self._look_at = self._length + self._length // 8 if self._length >= _EAGER else 0

    def _let_go(self, upto: int) -> None:
        """Whole pieces only, and none that ends within what is to be changed."""
        while True:
            count, end = self._pieces_until(upto)
            safe = self._scrub.uncut(self._pending, end)
            if safe == end:
                break
            upto = safe
        if count:
            text, after = self._pending[:end], self._pending[end : end + 1]
            self._show(count, text, self._scrub.clean(text, before=self._before, after=after))

    def _pieces_until(self, upto: int) -> tuple[int, int]:
        count = end = 0
        for _, _, length in self._pieces:
            if end + length > upto:
                break
            count, end = count + 1, end + length
        return count, end

    def _show(self, count: int, text: str, clean: str) -> None:
        is_changed = clean != text
        if is_changed and self._shown is None:
            self._shown = [self.shown]
        if self._shown is not None:
            self._shown.append(clean)
        for at, (entry, path, _) in enumerate(self._pieces[:count]):
            entry.holds -= 1
            if is_changed:
                entry.edits.append(_placed(path, clean if at == 0 else ""))
        del self._pieces[:count]
        self._pending = self._pending[len(text) :]
        self._length -= len(text)
        self._before = text[-1:] or self._before


def _placed(path: Path, text: str) -> Edit:
    return lambda value: put_text(value, path, text)


def put_text(value: Any, path: Path, text: str) -> None:
    """Set a text, and leave out the token probabilities beside it, which repeat it."""
    put_at(value, path, text)
    for holder in (path[:-1], path[:-2]):
        found = value
        for step in holder:
            found = found[step]
        if type(found) is dict and found.get("logprobs"):
            found["logprobs"] = [] if type(found["logprobs"]) is list else None
