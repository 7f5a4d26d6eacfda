"""MySQL and MariaDB text to tokens: quotes, comments and executable comments, as the server reads them.

Reads no meaning. Assumes the settings that a guarded session pins: no ANSI_QUOTES, no NO_BACKSLASH_ESCAPES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import product

from msgspec import Struct

MOST_BYTES = 1_000_000  # a longer text is not read: a parser needs about 40 µs for each hundred bytes
MOST_CONDITIONAL = 3  # comments that run on some servers only: each doubles the readings


class Kind(Enum):
    WORD = "word"
    QUOTED = "quoted"  # `name`
    STRING = "string"
    NUMBER = "number"
    VARIABLE = "variable"  # @name, @@name
    PLACE = "place"  # ?, %s, %(name)s
    SIGN = "sign"


class Token(Struct, frozen=True):
    """`text` is as written; `name` an identifier without quotes, a word in upper case.

    `spaced`: white space or a comment stands before it. `start` and `end` are places in the whole text.
    """

    kind: Kind
    text: str
    name: str
    spaced: bool
    start: int
    end: int
    layer: int = 0  # the conditional comment it stands in, from 1; 0 for none


class UnreadableError(Exception):
    """The text cannot be cut into tokens without a guess. The message quotes nothing of it."""


_PATTERN = re.compile(
    r"""
    (?P<space>[ \t\n\r\v\f]+)
  | (?P<line>(?:\#|--(?=[\x00-\x20\x7f]|\Z))[^\n]*)
  | (?P<hint>/\*\+.*?\*/)
  | (?P<open>/\*(?P<maria>M?)!(?P<version>\d{5,6})?)
  | (?P<block>/\*(?![+!]|M!).*?\*/)
  | (?P<close>\*/)
  | (?P<string>[nNxXbB]?'(?:[^'\\]|\\.|'')*'(?!')|"(?:[^"\\]|\\.|"")*"(?!"))
  | (?P<quoted>`(?:[^`]|``)+`(?!`))
  | (?P<place>\?|%s(?![A-Za-z0-9_$\u0080-\uffff])|%\([A-Za-z_][A-Za-z0-9_]*\)s(?![A-Za-z0-9_$\u0080-\uffff]))
  | (?P<variable>@@?(?:[A-Za-z0-9_$.\u0080-\uffff]+|`(?:[^`]|``)+`
      |'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")?)
  | (?P<number>(?:0[xX][0-9A-Fa-f]+|0b[01]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
      (?![A-Za-z0-9_$\u0080-\uffff]))
  | (?P<word>[A-Za-z0-9_$\u0080-\uffff]+)
  | (?P<sign><=>|:=|%%|->>|->|<<|>>|<=|>=|<>|!=|&&|\|\||[-+*/%=<>!~^&|(),.;:\[\]{}])
    """,
    re.X | re.S,
)
_BLANK = re.compile(r"[\x80-\x9f\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]")


def scan(text: str) -> tuple[Token, ...]:
    """Every token; those of conditional comments carry their layer. Raises UnreadableError."""
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise UnreadableError("the text is longer than a megabyte")
    return tuple(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    at, layers, inside, layer, spaced = 0, 0, False, 0, False
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise UnreadableError("a quote or a comment is not closed, or a character is none of SQL's")
        kind, at = str(match.lastgroup), match.end()
        if kind in ("maria", "version"):
            kind = "open"
        if kind in ("space", "line", "hint", "block", "open", "close"):
            spaced = True
            _check_comment(kind, match.group(), inside=inside)
        if kind == "open":
            inside, conditional = True, bool(match.group("maria") or match.group("version"))
            layers += conditional
            layer = layers if conditional else 0
        elif kind == "close":
            inside, layer = False, 0
        elif kind not in ("space", "line", "hint", "block"):
            yield _token(kind, match, spaced=spaced, layer=layer)
            spaced = False
    if inside:
        raise UnreadableError("an executable comment is not closed")


def _check_comment(kind: str, text: str, *, inside: bool) -> None:
    if inside and kind in ("line", "hint", "block", "open"):
        raise UnreadableError("a comment stands inside an executable comment")
    if not inside and kind == "close":
        raise UnreadableError("a comment ends that never began")
    if kind == "hint" and re.search(r"['\"`]|SET_VAR", text, re.I):
        raise UnreadableError("an optimizer hint sets a variable, or holds a quote")


def _token(kind: str, match: re.Match[str], *, spaced: bool, layer: int) -> Token:
    text = match.group()
    kinds = Kind(kind)
    if kinds in (Kind.WORD, Kind.VARIABLE) and _BLANK.search(text):
        raise UnreadableError("a blank character that is none of SQL's stands outside quotes")
    if layer and kinds in (Kind.STRING, Kind.QUOTED) and "*/" in text:
        raise UnreadableError("a quote inside an executable comment may end it")
    name = text[1:-1].replace("``", "`") if kinds is Kind.QUOTED else text.upper()
    return Token(kinds, text, name, spaced, match.start(), match.end(), layer)


def readings(tokens: Sequence[Token]) -> list[tuple[Token, ...]]:
    """Each way a server may read the text: every conditional comment in, or out. Raises UnreadableError."""
    layers = sorted({token.layer for token in tokens} - {0})
    if len(layers) > MOST_CONDITIONAL:
        raise UnreadableError("too many comments run on some servers only")
    every = product((True, False), repeat=len(layers))
    chosen = [{layer for layer, runs in zip(layers, choice, strict=True) if runs} for choice in every]
    found = [tuple(token for token in tokens if token.layer == 0 or token.layer in kept) for kept in chosen]
    return [reading for reading in found if reading] or [()]


def split(tokens: Sequence[Token]) -> list[tuple[Token, ...]]:
    """The statements of one reading, without their semicolons; empty ones are left out."""
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == ";":
            found.append([])
        else:
            found[-1].append(token)
    return [tuple(part) for part in found if part]


def join(tokens: Sequence[Token]) -> str:
    """Text that reads as the tokens do: no comments, and `--1` cannot become a comment."""
    parts: list[str] = []
    for before, token in zip((None, *tokens), tokens, strict=False):
        apart = before is not None and (
            token.spaced or before.text[-1:] + token.text[:1] in ("--", "/*", "*/")
        )
        parts.append(f" {token.text}" if apart else token.text)
    return "".join(parts)


def depths(tokens: Sequence[Token]) -> list[int]:
    """How many parentheses are open at each token; a parenthesis itself counts as outside."""
    found, depth = [], 0
    for token in tokens:
        if token.text == ")":
            depth -= 1
        found.append(depth)
        if token.text == "(":
            depth += 1
    return found
