"""Events that differ from one that was read only in their text: cut apart, not read. Knows no wire format.

A provider writes one piece of a text after the other in the same words. What stands around the piece was
judged when the first of them was read; being the same to the byte, it need not be judged again.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import chain
from operator import itemgetter
from typing import Any, Self

import msgspec

from clearance.core.streams.flow import Path, put_at
from clearance.core.streams.sse import Event

_NUMBER, _NOISE = ("sequence_number",), ("obfuscation",)  # what differs beside the text, and carries none
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_STRING = msgspec.json.Decoder(str)
_MOST_DIGITS = 15


class Likeness:
    """The bytes that events of one form share. `key` says which text it is, `path` where it stands.

    Between them stands what is within a JSON string, or a number, as it did in the event that was read.
    """

    __slots__ = ("_brace", "_head", "_inner", "_places", "_tail", "key", "number", "path")

    def __init__(
        self, key: Hashable, path: Path, *, places: list[Path], shared: list[bytes], after: bytes
    ) -> None:
        self.key = key
        self.path = path
        self.number: int | None = None  # of the last event that was like it, where they are numbered
        self._places = places
        self._head, *self._inner, self._tail = shared
        self._brace = -len(after) - 1  # the last of the data; blanks may stand before it

    @classmethod
    def of(cls, event: Event, value: dict[str, Any], key: Hashable, path: Path) -> Self | None:
        """What is shared with this event, whose text stands at the path; None where that cannot be told."""
        data = event.data
        if data is None or not data.endswith(b"}") or event.raw.count(data) != 1:
            return None
        before, after = event.raw.split(data)
        data = _unpadded(data, -1)
        places = [path]
        places += [_NUMBER] if type(value.get("sequence_number")) is int else []
        places += [_NOISE] if type(value.get("obfuscation")) is str else []
        spots = [(*_spot(data, value, place), place) for place in places]
        spots.sort(key=itemgetter(0))
        if not _is_told_apart(data, spots):
            return None
        cuts = [0, *chain.from_iterable(spot[:2] for spot in spots), len(data)]
        shared = [data[start:end] for start, end in zip(cuts[::2], cuts[1::2], strict=True)]
        shared[0], shared[-1] = before + shared[0], shared[-1] + after
        return cls(key, path, places=[place for *_, place in spots], shared=shared, after=after)

    def text_of(self, raw: bytes) -> str | None:
        """The text of an event of this form; None for any other."""
        if not raw.startswith(self._head):
            return None
        if raw[self._brace - 1 : self._brace] == b" ":
            raw = _unpadded(raw, self._brace)
        if not raw.endswith(self._tail):
            return None
        try:
            if not self._inner:  # with the quotes, which are shared
                return _STRING.decode(raw[len(self._head) - 1 : len(raw) - len(self._tail) + 1])
            return self._text_among(raw[len(self._head) : len(raw) - len(self._tail)])
        except ValueError:
            return None

    def _text_among(self, rest: bytes) -> str | None:
        tokens: list[bytes] = []
        for shared in self._inner:
            token, _, rest = rest.partition(shared)
            tokens.append(token)
        text = None
        for place, token in zip(self._places, (*tokens, rest), strict=True):
            if place is self.path:
                text = _STRING.decode(b'"%b"' % token)
            elif place is _NOISE:
                _STRING.decode(b'"%b"' % token)
            elif _is_number(token):
                self.number = int(token)
            else:
                return None
        return text


def _unpadded(data: bytes, brace: int) -> bytes:
    """Without blanks before the last brace: a provider hides by them how long a text is."""
    return data[:brace].rstrip(b" ") + data[brace:]


def _spot(data: bytes, value: Any, place: Path) -> tuple[int, int]:
    """Where the value at the place is written, within the quotes if it has some; nowhere is (0, 0)."""
    for step in place:
        value = value[step]
    token = _ENCODER.encode(value)
    for between in (b":", b": "):
        name = _ENCODER.encode(place[-1]) + between
        at = data.find(name + token)
        if at >= 0:
            quote = 1 if token.startswith(b'"') else 0
            return at + len(name) + quote, at + len(name) + len(token) - quote
    return 0, 0


def _is_told_apart(data: bytes, spots: list[tuple[int, int, Path]]) -> bool:
    """Whether other values in these spots are read at these places, and all else as before."""
    value, marked = _DECODER.decode(data), data
    for start, end, place in reversed(spots):
        if start == end:
            return False
        other: int | str = int(data[start:end]) + 1 if place is _NUMBER else "other"
        put_at(value, place, other)
        marked = marked[:start] + str(other).encode() + marked[end:]
    try:
        return bool(_DECODER.decode(marked) == value)
    except ValueError:
        return False


def _is_number(token: bytes) -> bool:
    return token.isdigit() and len(token) <= _MOST_DIGITS and (token[0] != ord("0") or len(token) == 1)
