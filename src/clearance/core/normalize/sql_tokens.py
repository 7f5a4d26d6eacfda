"""SQL text to tokens, only where every common dialect would cut it the same way. Knows no statement.

What dialects disagree on is not read at all: a backslash before a quote, `#` and nested comments, executable
comments, dollar and triple quotes, prefixed strings, session variables, a second statement.
"""

from __future__ import annotations

import re
from enum import Enum

from msgspec import Struct

_MAX_SQL = 100_000  # characters; a longer text is not read


class Kind(Enum):
    """What a token is. QUOTED is an identifier in double quotes, backticks or brackets."""

    WORD = "word"
    QUOTED = "quoted"
    STRING = "string"
    VALUE = "value"
    SIGN = "sign"


class Token(Struct, frozen=True, kw_only=True):
    """`text` is in upper case for words, unquoted for identifiers, empty for values."""

    kind: Kind
    text: str


_TOKEN = re.compile(
    r"""
      (?P<space>   [ \t\n]+ | \r\n | --(?=[ \t\n]|\Z)[^\r\n]*
                 | /\*(?![!+/M])(?:[^*/]|\*(?!/)|/(?!\*))*\*/ | ;(?=[ \t\r\n]*\Z) )
    | (?P<string>  '(?:[^']|'')*' )
    | (?P<quoted>  "(?:[^"]|"")+" | `(?:[^`]|``)+` | \[[A-Za-z0-9_\ ]+\] )
    | (?P<value>   (?:0[xX][0-9A-Fa-f]+|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_$'"])
                 | \$[0-9]+(?![$\w]) | %s | %\([A-Za-z0-9_]+\)s | \? | :[A-Za-z_][A-Za-z0-9_]* )
    | (?P<word>    [A-Za-z_][A-Za-z0-9_]*(?![A-Za-z0-9_'"`$@\#]) )
    | (?P<sign>    :: | -(?!-) | /(?!\*) | &(?!['"]) | [+*%<>=!|(),.~^] )
    """,
    re.VERBOSE | re.ASCII,
)
_DISPUTED = re.compile(r"\\['\"`]|'''|\"\"\"|\r(?!\n)")


def tokens(text: str) -> list[Token] | None:
    """The tokens of one statement, its closing semicolon left out; None where it cannot be read safely."""
    if len(text) > _MAX_SQL or _DISPUTED.search(text):
        return None
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        if match.lastgroup != "space":
            found.append(_token(str(match.lastgroup), match[0]))
        at = match.end()
    return found if _balanced(found) else None


def _balanced(found: list[Token]) -> bool:
    signs = [token.text for token in found if token.kind is Kind.SIGN]
    return signs.count("(") == signs.count(")")


def _token(group: str, text: str) -> Token:
    kind = Kind(group)
    if kind is Kind.WORD:
        text = text.upper()
    elif kind is Kind.QUOTED:
        text = text[1:-1].replace(text[0] * 2, text[0])
    elif kind is not Kind.SIGN:
        text = ""
    return Token(kind=kind, text=text)
