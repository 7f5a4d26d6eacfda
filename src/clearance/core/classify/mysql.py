"""One MySQL or MariaDB text to its effects. Reads text only; what the catalogue knows comes in as a value.

Never raises. What is not surely read is UNKNOWN: an unreviewed function, node, first word or comment.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from clearance.core.classify.mysql_calls import calls
from clearance.core.classify.mysql_dml import classify_dml, is_dml
from clearance.core.classify.mysql_heads import classify_head
from clearance.core.classify.mysql_scan import Kind, Token, UnreadableError, join, readings, scan, split
from clearance.core.classify.mysql_words import GUARD_SCHEMA
from clearance.core.model.effects import Classification, EffectClass, Named, unknown

_RUNS_NOT = frozenset({EffectClass.WRITE, EffectClass.DELETE})
_EXPLAINS = frozenset({"EXPLAIN", "DESCRIBE", "DESC"})
_OPTIONS = frozenset({"EXTENDED", "PARTITIONS"})
_CONTROLS = {
    **dict.fromkeys(("BEGIN", "BEGIN WORK", "START TRANSACTION"), "begin"),
    **dict.fromkeys(("COMMIT", "COMMIT WORK"), "commit"),
    **dict.fromkeys(("ROLLBACK", "ROLLBACK WORK"), "rollback"),
}


class Catalogue(Struct, frozen=True, kw_only=True):
    """What a server's catalogue adds to a text. Every name is `schema.name` or `name`, in lower case.

    `opaque` are views that call code which was not read; `harmless` are functions that somebody reviewed.
    """

    schema: str = ""
    opaque: frozenset[str] = frozenset()
    harmless: frozenset[str] = frozenset()


def classify_mysql(statement: str, *, routines: Catalogue | None = None) -> Classification:
    """The effects of a text, of every statement in it, in every way that a server may read its comments."""
    known = routines or Catalogue()
    try:
        found = [_one(tokens, known) for reading in readings(scan(statement)) for tokens in split(reading)]
    except UnreadableError as error:
        return unknown(str(error))
    except (RecursionError, MemoryError):
        return unknown("the statement is nested too deeply")
    return _union(found) if found else unknown("the text holds no statement")


def statements(text: str) -> tuple[str, ...]:
    """The statements of a text, without comments and semicolons. A text that cannot be read stays whole."""
    try:
        tokens = scan(text)
        plain = tuple(token for token in tokens if token.layer == 0)
        return tuple(join(part) for part in split(plain)) if plain == tokens else (text,)
    except UnreadableError:
        return (text,)


def transaction_control(text: str) -> str:
    """`begin`, `commit`, `rollback`, `savepoint`, `rollback_to` or `release`; "" for any other statement.

    A form with options (`COMMIT AND CHAIN`, `START TRANSACTION READ ONLY`) is "": it is more than that.
    """
    try:
        found = split(scan(text))
    except UnreadableError:
        return ""
    if len(found) != 1 or any(token.layer for token in found[0]):
        return ""
    words = [token.name if token.kind is Kind.WORD else "" for token in found[0]]
    match words:
        case ["SAVEPOINT", _]:
            return "savepoint"
        case ["RELEASE", "SAVEPOINT", _]:
            return "release"
        case ["ROLLBACK", "TO", _] | ["ROLLBACK", "TO", "SAVEPOINT", _] | ["ROLLBACK", "WORK", "TO", *_]:
            return "rollback_to"
        case _:
            return _CONTROLS.get(" ".join(words), "")


def touches_guard(text: str) -> bool:
    """Whether a text names the guard's own schema; True where that cannot be told."""
    try:
        return any(_names_guard(token) for token in scan(text))
    except UnreadableError:
        return True


def _names_guard(token: Token) -> bool:
    if token.kind is Kind.STRING:
        return f"{GUARD_SCHEMA}." in token.text.lower().replace("`", "")
    return token.kind in (Kind.WORD, Kind.QUOTED) and token.name.lower() == GUARD_SCHEMA


def _one(tokens: Sequence[Token], known: Catalogue) -> Classification:
    explained, run = _explained(tokens)
    if explained is not None:
        inner = _one(explained, known) if explained else Classification(effects=frozenset({EffectClass.READ}))
        return (
            inner
            if run
            else Classification(effects=inner.effects - _RUNS_NOT | {EffectClass.READ}, unknown=inner.unknown)
        )
    if tokens[0].name == "SET" and len(tokens) > 1 and tokens[1].name == "STATEMENT":
        return _for_one_statement(tokens, known)
    body, extra = _expression(tokens)
    base = classify_dml(body) if is_dml(body) else classify_head(body)
    effects, why = calls(tokens, harmless=known.harmless)
    found = Classification(
        effects=base.effects | effects | extra, objects=base.objects, unknown=(*base.unknown, *why)
    )
    return _in_catalogue(_guarded(found, tokens), known)


def _expression(tokens: Sequence[Token]) -> tuple[Sequence[Token], frozenset[EffectClass]]:
    """`DO x` evaluates as `SELECT x` does."""
    if tokens[0].kind is Kind.WORD and tokens[0].name == "DO":
        word = Token(Kind.WORD, "SELECT", "SELECT", tokens[0].spaced, tokens[0].start, tokens[0].end)
        return (word, *tokens[1:]), frozenset()
    return tokens, frozenset()


def _explained(tokens: Sequence[Token]) -> tuple[Sequence[Token] | None, bool]:
    """What an EXPLAIN explains, and whether it runs that; None where the statement explains nothing.

    MariaDB's `ANALYZE SELECT …` and MySQL's `EXPLAIN ANALYZE` run; every other form plans only.
    """
    words = [token.name for token in tokens]
    if tokens[0].kind is not Kind.WORD or words[0] not in _EXPLAINS | {"ANALYZE"}:
        return None, False
    at, run = 1, words[0] == "ANALYZE"
    while at < len(words) and (words[at] in _OPTIONS or words[at] in ("ANALYZE", "FORMAT")):
        run = run or words[at] == "ANALYZE"
        at += 3 if words[at] == "FORMAT" else 1
    if is_dml(tokens[at:]) and not (run and words[0] == "ANALYZE" and words[at] == "TABLE"):
        return tokens[at:], run
    if words[0] == "ANALYZE":
        return None, False
    named = len(words) <= at + 5 and all(
        token.kind is not Kind.SIGN or token.text == "." for token in tokens[at:]
    )
    return ((), False) if named else (tokens[at:] or tokens[:1], True)


def _for_one_statement(tokens: Sequence[Token], known: Catalogue) -> Classification:
    """MariaDB: `SET STATEMENT x=1 FOR SELECT …` runs the statement with other settings."""
    place = next(
        (at for at, token in enumerate(tokens) if token.name == "FOR" and token.kind is Kind.WORD), 0
    )
    if not place or place + 1 == len(tokens):
        return unknown("SET STATEMENT without a statement")
    settings = classify_head([tokens[0], *tokens[2:place]])
    return _union([settings, _one(tokens[place + 1 :], known)])


def _guarded(found: Classification, tokens: Sequence[Token]) -> Classification:
    if not any(_names_guard(token) for token in tokens):
        return found
    return Classification(
        effects=found.effects | {EffectClass.ADMIN},
        objects=found.objects,
        unknown=(*found.unknown, "the statement names the tables that keep what can be undone"),
    )


def _in_catalogue(found: Classification, known: Catalogue) -> Classification:
    named = {named.name.lower() for named in found.objects}
    full = {name if "." in name else f"{known.schema.lower()}.{name}" for name in named}
    opaque = sorted(full & known.opaque)
    if not opaque:
        return found
    why = tuple(f"the view {name} calls code that was not read" for name in opaque)
    return Classification(
        effects=found.effects | {EffectClass.EXEC}, objects=found.objects, unknown=(*found.unknown, *why)
    )


def _union(found: Sequence[Classification]) -> Classification:
    objects: dict[Named, None] = {}
    for one in found:
        objects.update(dict.fromkeys(one.objects))
    return Classification(
        effects=frozenset().union(*(one.effects for one in found)),
        objects=tuple(objects),
        unknown=tuple(dict.fromkeys(why for one in found for why in one.unknown)),
    )
