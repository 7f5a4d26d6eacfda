"""Which functions one MySQL statement calls, told by its tokens alone, so that no parser can lose one."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.core.classify.mysql_scan import Kind, Token
from clearance.core.classify.mysql_words import ACTS, MODIFIERS, NEEDS_NO_BLANK, READS, STRUCTURE
from clearance.core.model.effects import EffectClass

# After one of these words a name stands, and its parenthesis lists columns.
_NAME_FOLLOWS = frozenset(
    {
        "INTO",
        "TABLE",
        "REFERENCES",
        "KEY",
        "INDEX",
        "UNIQUE",
        "WITH",
        "RECURSIVE",
        "EXISTS",
        "VIEW",
        "FUNCTION",
        "PROCEDURE",
        "AS",
        "CONSTRAINT",
        "CALL",
    }
)
_NEEDS_ARGUMENT = "LAST_INSERT_ID"


def calls(
    tokens: Sequence[Token], *, harmless: frozenset[str] = frozenset()
) -> tuple[frozenset[EffectClass], tuple[str, ...]]:
    """The effects of every function called, and why some are not known. `harmless` are lower-case names."""
    effects: set[EffectClass] = set()
    unknown: list[str] = []
    for index, token in enumerate(tokens[:-1]):
        if tokens[index + 1].text != "(" or token.kind not in (Kind.WORD, Kind.QUOTED):
            continue
        if token.name == _NEEDS_ARGUMENT and token.kind is Kind.WORD:
            effects |= {EffectClass.SESSION} if tokens[index + 2 : index + 3][0].text != ")" else set()
        elif token.kind is Kind.WORD and token.name in ACTS and not _qualified(tokens, index):
            effects |= ACTS[token.name]
        elif not _known(tokens, index) and _called(tokens, index) not in harmless:
            effects |= {EffectClass.EXEC, EffectClass.UNKNOWN}
            unknown.append(f"the function {_called(tokens, index)} is not a reviewed one")
    return frozenset(effects), tuple(dict.fromkeys(unknown))


def _qualified(tokens: Sequence[Token], index: int) -> bool:
    return index > 0 and tokens[index - 1].text == "."


def _known(tokens: Sequence[Token], index: int) -> bool:
    token = tokens[index]
    plain = token.kind is Kind.WORD and not _qualified(tokens, index)
    if plain and token.name in STRUCTURE:
        return True
    apart = tokens[index + 1].spaced and token.name in NEEDS_NO_BLANK
    if plain and token.name in READS and not apart:
        return True
    return _is_a_name(tokens, index)


def _is_a_name(tokens: Sequence[Token], index: int) -> bool:
    """Whether a table, an index or an alias stands here, whose parenthesis lists columns."""
    start = index
    while start >= 2 and tokens[start - 1].text == ".":
        start -= 2
    if start == 0:
        return False
    before = tokens[start - 1]
    if before.text == ")" or (before.kind is Kind.WORD and before.name in _NAME_FOLLOWS):
        return True
    if before.kind is Kind.WORD and before.name == "ON":
        return _indexes(tokens)
    if before.text == "," and tokens[0].name == "WITH":
        return _closes_before_as(tokens, index + 1)
    first = start - 1
    while first > 0 and tokens[first].name in MODIFIERS:
        first -= 1
    return tokens[first].kind is Kind.WORD and tokens[first].name in ("INSERT", "REPLACE")


def _indexes(tokens: Sequence[Token]) -> bool:
    words = [token.name for token in tokens[:4]]
    return words[0] == "CREATE" and "INDEX" in words


def _closes_before_as(tokens: Sequence[Token], opening: int) -> bool:
    depth = 0
    for index in range(opening, len(tokens)):
        depth += (tokens[index].text == "(") - (tokens[index].text == ")")
        if depth == 0:
            follow = [token.name for token in tokens[index + 1 : index + 3]]
            return follow == ["AS", "("]
    return False


def _called(tokens: Sequence[Token], index: int) -> str:
    prefix = f"{tokens[index - 2].name}." if _qualified(tokens, index) and index >= 2 else ""
    return f"{prefix}{tokens[index].name}".lower()
