"""Text on its way to a terminal: neutralised, measured, cut, folded, painted. Prints nothing itself."""

from __future__ import annotations

import os
import unicodedata
from enum import StrEnum
from typing import TextIO


class Style(StrEnum):
    """SGR parameters, ECMA-48. One per meaning, so that a colour says the same thing everywhere."""

    BAD = "1;31"
    WARN = "1;33"
    GOOD = "32"
    NAME = "1"
    QUIET = "2"
    SHADOW = "35"
    PLAIN = ""


def paint(text: str, style: Style, *, color: bool) -> str:
    """The text in its style, or as it is."""
    return f"\x1b[{style}m{text}\x1b[0m" if color and style and text else text


def safe(text: str) -> str:
    r"""Text that cannot steer a terminal: every control, format and invisible character is written out.

    That covers ANSI escapes, carriage returns, bidirectional overrides and Unicode tags.

    >>> safe("a\x1b[2Jb\r\u202ec")
    'a\\x1b[2Jb\\r\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _shows(char) else _escaped(char) for char in text)


def _shows(char: str) -> bool:
    # Variation selectors 17 to 256 count as printable, show nothing and can carry hidden text.
    return char.isprintable() and not "\U000e0100" <= char <= "\U000e01ef"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def columns(text: str) -> int:
    """How many terminal columns the text takes.

    >>> columns("abc"), columns("日本"), columns("e\u0301")
    (3, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _fitting(text: str, width: int) -> int:
    """How many characters of the text fit into the width."""
    used = 0
    for index, char in enumerate(text):
        used += _columns(char)
        if used > width:
            return index
    return len(text)


def cut(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis.

    >>> cut("clearance", 6)
    'clear…'
    """
    if columns(text) <= width:
        return text
    return text[: _fitting(text, width - 1)] + "…"


def fold(text: str, width: int) -> list[str]:
    """The whole text in lines of at most this width, broken at spaces where there are any.

    >>> fold("no action without clearance", 12)
    ['no action', 'without', 'clearance']
    """
    lines = []
    while columns(text) > width:
        end = max(_fitting(text, width), 1)  # a character wider than the line must not stop it
        space = text.rfind(" ", 1, end + 1)
        lines.append(text[: space if space > 0 else end].rstrip())
        text = text[space if space > 0 else end :].lstrip(" ")
    if text or not lines:
        lines.append(text)
    return lines


def duration(seconds: float) -> str:
    """A span of time in at most seven characters.

    >>> [duration(seconds) for seconds in (0.0004, 0.012, 4.25, 75, 7500, 200_000)]
    ['0ms', '12ms', '4.2s', '1m15s', '2h05m', '2d07h']
    """
    whole = int(seconds)
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if seconds < 0.9995 else "1.0s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3_600}h{whole % 3_600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3_600:02}h"


def wants_color(stream: TextIO) -> bool:
    """True on a terminal whose user has not asked for none (https://no-color.org)."""
    asked_not = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not asked_not
