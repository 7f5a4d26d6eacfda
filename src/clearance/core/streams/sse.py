"""Server-sent events (WHATWG HTML, 9.2) cut out of a byte stream, and written. Knows no provider.

Stricter than the standard where clients differ: one data line an event, known field names only.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from clearance.core.streams.reading import BrokenStreamError, malformed

MOST_EVENT = 16 * 2**20  # bytes; an answer of 10 MB in one event passes
_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_ENCODER = msgspec.json.Encoder()
_IGNORED = frozenset({b"id", b"retry"})
_MARK = b"\xef\xbb\xbf"  # a byte order mark may lead the stream


class Event:
    """One event as it came. `data` is None where it carries none: a comment, a keep-alive."""

    __slots__ = ("data", "name", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.name: str | None = None
        self.data: bytes | None = None
        if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2:  # nearly all are
            self.data = raw[6:-2]
            return
        raw.decode()
        for line in raw.splitlines():
            if line and not line.startswith(b":"):
                self._field(line)

    def _field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data" and self.data is None:
            self.data = value
        elif field == b"event" and self.name is None:
            self.name = value.decode()
        elif field not in _IGNORED:
            raise malformed("An event of the stream has a line that does not belong there.")

    def written(self, value: dict[str, Any]) -> bytes:
        """Another value in an event of this form."""
        newline = b"\r\n" if b"\r\n" in self.raw else b"\n"
        return written(value, named=self.name is not None, newline=newline)


def written(value: dict[str, Any], *, named: bool, newline: bytes = b"\n") -> bytes:
    """An event, named by the `type` of its value where the dialect names its events."""
    line = b"data: " + _ENCODER.encode(value) + newline + newline
    return b"event: " + str(value["type"]).encode() + newline + line if named else line


class Events:
    """Takes chunks, gives the bytes of whole events; `read` reads them."""

    def __init__(self) -> None:
        self.rest = bytearray()  # of an event that is not whole yet
        self._searched = 0
        self._begun = False
        self._has_returns = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Raises BrokenStreamError."""
        if not self.rest and not self._has_returns and _is_one_event(chunk):
            return [chunk]
        self.rest += chunk
        self._has_returns = self._has_returns or b"\r" in chunk
        found: list[bytes] = []
        start = 0
        while (end := self._blank_line()) > 0:
            found.append(bytes(self.rest[start:end]))
            start = self._searched = end
        del self.rest[:start]
        if len(self.rest) > MOST_EVENT:
            raise BrokenStreamError("too_much_held", "An event of the upstream's stream is too large.")
        self._searched = max(0, len(self.rest) - 3)
        return found

    def _blank_line(self) -> int:
        """Where the next event ends; 0 where it does not yet."""
        if not self._has_returns:
            at = self.rest.find(b"\n\n", self._searched)
            return at + 2 if at >= 0 else 0
        blank = _BLANK.search(self.rest, self._searched)
        if blank is None or (blank.end() == len(self.rest) and self.rest.endswith(b"\r")):
            return 0  # a line feed may follow, which belongs to it
        return blank.end()

    def last(self) -> list[bytes]:
        """The stream is over: an event whose lines are whole, and that only misses its blank line."""
        raw = bytes(self.rest)
        if not raw.endswith((b"\r", b"\n")):
            return []
        self.rest.clear()
        return [raw]

    def read(self, raw: bytes) -> Event:
        """Raises BrokenStreamError."""
        try:
            if self._begun:
                return Event(raw)
            self._begun = True
            event = Event(raw.removeprefix(_MARK))
            event.raw = raw
            return event
        except UnicodeDecodeError:
            raise malformed("The upstream's stream is not UTF-8.") from None


def _is_one_event(chunk: bytes) -> bool:
    """Upstreams write event by event, and most reads bring just one: it needs no buffer."""
    return 0 < chunk.find(b"\n\n") == len(chunk) - 2 and b"\r" not in chunk
