"""SQLite's own lexical rules: one statement's text to tokens. Knows no grammar."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from msgspec import Struct

MOST_CHARACTERS: Final = 1_000_000  # a longer text is not read; SQLite's own default limit is 10^9 bytes


class Kind(Enum):
    """QUOTED is an identifier in double quotes, backticks or brackets; VALUE a literal or a parameter."""

    WORD = "word"
    QUOTED = "quoted"
    VALUE = "value"
    SIGN = "sign"


class Token(Struct, frozen=True, kw_only=True):
    """`text` is upper case for words, unquoted for identifiers, empty for values: no literal is kept."""

    kind: Kind
    text: str
    end: int

    @property
    def is_name(self) -> bool:
        return self.kind in (Kind.WORD, Kind.QUOTED)


# An unclosed block comment runs to the end of the text; strings know no backslash (sqlite.org/lang_expr).
_TOKEN = re.compile(
    r"""
      (?P<space>   [ \t\n\f\r]+ | --[^\n]* | /\*(?:[^*]|\*(?!/))*(?:\*/|\Z) )
    | (?P<value>   [xX]?'(?:[^']|'')*' | (?:0[xX][0-9A-Fa-f_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)
                   (?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_$\x80-\U0010ffff])
                 | \?[0-9]* | [:@$\#][A-Za-z0-9_$\x80-\U0010ffff]+(?:::[A-Za-z0-9_]+)*(?:\([^)\s]*\))? )
    | (?P<quoted>  "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
    | (?P<word>    [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<sign>    ->> | -> | \|\| | << | >> | <= | >= | <> | == | != | -(?!-) | /(?!\*) | [+*%<>=|&~(),.;] )
    """,
    re.VERBOSE,
)


def tokens(text: str) -> list[Token] | None:
    """None where the text is too long or holds what SQLite would not read. A NUL ends SQLite's reading."""
    if len(text) > MOST_CHARACTERS or "\x00" in text:
        return None
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match.lastgroup != "space":
            found.append(_token(str(match.lastgroup), match[0], at))
    return found


def one_statement(text: str) -> list[Token] | None:
    """The tokens of the only statement of a text, empty ones around it left out; None where there are more.

    A semicolon inside CREATE TRIGGER ... BEGIN ... END belongs to it.
    """
    found = tokens(text)
    if found is None:
        return None
    while found and found[-1].text == ";" and found[-1].kind is Kind.SIGN:
        found.pop()
    while found and found[0].text == ";" and found[0].kind is Kind.SIGN:
        found.pop(0)
    inner = any(token.text == ";" and token.kind is Kind.SIGN for token in found)
    return None if inner and not _is_trigger(found) else found


def _is_trigger(found: list[Token]) -> bool:
    """CREATE [TEMP] TRIGGER whose only END that follows a semicolon is its last word."""
    words = [token.text for token in found[:3] if token.kind is Kind.WORD]
    if words[1:2] in (["TEMP"], ["TEMPORARY"]):
        del words[1]
    if words[:2] != ["CREATE", "TRIGGER"] or found[-1].text != "END":
        return False
    closing = [
        index
        for index, token in enumerate(found)
        if token.kind is Kind.WORD and token.text == "END" and found[index - 1].text == ";"
    ]
    return closing == [len(found) - 1]


def _token(group: str, text: str, end: int) -> Token:
    kind = Kind(group)
    if kind is Kind.WORD:
        text = text.upper()
    elif kind is Kind.QUOTED:
        text = text[1:-1] if text[0] == "[" else text[1:-1].replace(text[0] * 2, text[0])
    elif kind is Kind.VALUE:
        text = ""
    return Token(kind=kind, text=text, end=end)
