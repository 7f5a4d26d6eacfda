"""One word of a command as bash would hand it on, as far as that can be told without running anything."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from tree_sitter import Node

_UNQUOTED_PATTERN = re.compile(r"[*?\[]|\{[^{}]*(?:,|\.\.)[^{}]*\}")
_UNSURE = "\x01"  # in a mask: not known before it runs; input with control characters is never read
_QUOTED = "\0"  # in a mask: a character that no expansion applies to
_DOUBLE = re.compile(r'\\([$`"\\])|\\\n')
_BARE = re.compile(r"\\(.)|\\\n|([^\\]+)", re.DOTALL)
_ANSI = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|c.|.)", re.DOTALL)
_ANSI_LETTERS = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ANSI_LETTERS["v"] = "\v"


class Word(Struct, frozen=True, kw_only=True):
    """`text` is None where only running would tell. `lead` is the part before the first unknown.

    `pattern`: unquoted `*`, `?`, `[` or braces, so it may stand for several words. `splits`: an expansion
    that may become any number of words. `variable`: the word is exactly this variable.
    """

    text: str | None
    lead: str = ""
    pattern: bool = False
    splits: bool = False
    variable: str = ""

    @property
    def plain(self) -> str | None:
        """The text, where it is one word and surely this one."""
        return None if self.pattern else self.text

    @property
    def may_be_option(self) -> bool:
        """True where an option, or several words with one among them, could come of it."""
        if self.splits:
            return True
        if self.text is None or self.pattern:
            return self.lead == "" or self.lead.startswith("-")
        return self.text.startswith("-") and self.text != "-"


ANY = Word(text=None, splits=True)


def literal(text: str) -> Word:
    """A word that no shell will expand."""
    return Word(text=text, lead=text)


class _Piece(Struct, frozen=True, kw_only=True):
    text: str
    mask: str
    splits: bool = False
    variable: str = ""


def word_of(node: Node) -> Word:
    """From a word, string, concatenation or expansion of the grammar."""
    pieces = [piece for piece in _pieces(node) if piece.text]
    text, mask = "".join(piece.text for piece in pieces), "".join(piece.mask for piece in pieces)
    pattern = _UNQUOTED_PATTERN.search(mask)
    unsure = mask.find(_UNSURE)
    ends = [end for end in (unsure, pattern.start() if pattern else -1) if end >= 0]
    return Word(
        text=None if unsure >= 0 else text,
        lead=text[: min(ends)] if ends else text,
        pattern=pattern is not None,
        splits=any(piece.splits for piece in pieces),
        variable=pieces[0].variable if len(pieces) == 1 else "",
    )


def _pieces(node: Node) -> Iterator[_Piece]:
    raw = (node.text or b"").decode()
    match node.type:
        case "command_name" | "concatenation":
            for child in node.children:
                yield from _pieces(child)
        case "word" | "number" | "test_operator" | "variable_name" | "file_descriptor":
            yield from _bare(raw)
        case "raw_string":
            yield _fixed(raw[1:-1])
        case "ansi_c_string":
            yield _fixed(_ANSI.sub(_ansi, raw[2:-1]).split("\0", 1)[0])
        case "string":
            yield from _string(node)
        case "brace_expression":
            yield _Piece(text=raw, mask=raw)
        case _:
            name = raw[1:].strip("{}") if node.type in ("simple_expansion", "expansion") else ""
            known = name if name.isidentifier() else ""
            yield _Piece(text=_UNSURE, mask=_UNSURE, splits=True, variable=known)


def _bare(raw: str) -> Iterator[_Piece]:
    for match in _BARE.finditer(raw):
        if match[2]:
            yield _Piece(text=match[2], mask=match[2])
        elif match[1] and match[1] != "\n":
            yield _fixed(match[1])


def _string(node: Node) -> Iterator[_Piece]:
    """Double quotes; the text between the grammar's children counts, white space at their ends too."""
    raw, start, at = node.text or b"", node.start_byte, 1
    for child in node.named_children:
        if child.type == "string_content":
            continue
        yield _fixed(_DOUBLE.sub(_kept, raw[at : child.start_byte - start].decode()))
        inner = (child.text or b"").decode()
        many = "@" in inner or child.type == "process_substitution"
        name = inner[1:].strip("{}")
        yield _Piece(text=_UNSURE, mask=_UNSURE, splits=many, variable=name if name.isidentifier() else "")
        at = child.end_byte - start
    yield _fixed(_DOUBLE.sub(_kept, raw[at:-1].decode()))


def _fixed(text: str) -> _Piece:
    return _Piece(text=text, mask=_QUOTED * len(text))


def _kept(match: re.Match[str]) -> str:
    return match[1] or ""


def _ansi(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number < 0x110000 else "\0"
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    if code[0] == "c" and len(code) == 2:
        return chr(ord(code[1]) & 0x1F)
    return _ANSI_LETTERS.get(code, code if code in "\\'\"?" else "\\" + code)
