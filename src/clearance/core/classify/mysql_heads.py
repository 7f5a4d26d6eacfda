"""MySQL statements that their first words tell: DDL, rights, settings, transactions, files, procedures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from clearance.core.classify.mysql_scan import Kind, Token
from clearance.core.classify.mysql_words import HEADS, OBJECTS, REMOTE_ENGINES, SYSTEM_SCHEMAS
from clearance.core.model.action import Operation
from clearance.core.model.effects import Classification, EffectClass, Named, unknown


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHOWN = frozenset({"SHOW", "DESC", "DESCRIBE", "EXPLAIN"})
_GLOBAL = frozenset({"GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "DEFAULT", "ROLE", "RESOURCE"})
# Settings that decide how text is read, what is checked and what is undone.
_PINNED = _words_of(
    """
    SQL_MODE FOREIGN_KEY_CHECKS UNIQUE_CHECKS CHECK_CONSTRAINT_CHECKS SQL_LOG_BIN TIME_ZONE AUTOCOMMIT
    CHARACTER_SET_CLIENT CHARACTER_SET_CONNECTION TX_ISOLATION TRANSACTION_ISOLATION SQL_SAFE_UPDATES
    TIMESTAMP COMPLETION_TYPE INIT_CONNECT
    """
)
_WHATS = frozenset({"TABLE", "TABLES", "DATABASE", "SCHEMA", "VIEW", "INDEX", "SEQUENCE", "TRIGGER", "EVENT"})
_SKIPPED = _words_of(
    """
    OR REPLACE IF NOT EXISTS ONLINE OFFLINE UNIQUE FULLTEXT SPATIAL AGGREGATE DEFINER INVOKER SQL
    SECURITY ALGORITHM MERGE TEMPTABLE UNDEFINED IGNORE WAIT NOWAIT TEMPORARY
    """
)
_PLACES = 12  # words of a CREATE before the kind of thing that it makes


def classify_head(tokens: Sequence[Token]) -> Classification:
    """A statement that is neither SELECT nor a change of rows. Never raises."""
    words = [token.name if token.kind is not Kind.STRING else "" for token in tokens]
    if tokens[0].kind is not Kind.WORD:
        return unknown("the statement begins with no word of SQL")
    if words[0] == "SET":
        return _set(words)
    if words[0] in _SHOWN:
        return Classification(effects=frozenset({EffectClass.READ}))
    if words[0] == "BEGIN" and words[1:2] not in ([], ["WORK"]):
        return unknown("a compound statement was not read")
    effects = HEADS.get(" ".join(words[:2])) or HEADS.get(words[0])
    if effects is None:
        return unknown("the statement's first word was not reviewed")
    if words[0] in ("CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME"):
        return _ddl(tokens, words, effects)
    if words[0] == "LOAD" and "REPLACE" in words:
        effects = effects | {EffectClass.DELETE}
    return Classification(effects=effects, objects=_loaded(tokens, words))


def _set(words: Sequence[str]) -> Classification:
    effects = {EffectClass.SESSION}
    scopes = {name.lstrip("@").partition(".")[0] for name in words if name.startswith("@@")}
    assigned = {name.rpartition(".")[2].lstrip("@") for name in words}
    if scopes & _GLOBAL or set(words[1:2]) & _GLOBAL or _after_comma(words) & _GLOBAL or assigned & _PINNED:
        effects.add(EffectClass.ADMIN)
    return Classification(effects=frozenset(effects))


def _after_comma(words: Sequence[str]) -> set[str]:
    return {after for before, after in pairwise(words) if before == ","}


def _ddl(tokens: Sequence[Token], words: Sequence[str], effects: frozenset[EffectClass]) -> Classification:
    place = next((at for at in range(1, min(len(words), _PLACES)) if words[at] in _WHATS), 0)
    kind = next((name for name in words[1:_PLACES] if name in OBJECTS or name in _WHATS), "")
    found = set(OBJECTS.get(kind, effects))
    if words[1:2] == ["TEMPORARY"] or words[1:4] == ["OR", "REPLACE", "TEMPORARY"]:
        found = {EffectClass.SESSION}
    if "SONAME" in words:
        found |= {EffectClass.ADMIN, EffectClass.EXEC}
    if "SELECT" in words and words[0] == "CREATE":
        found.add(EffectClass.READ)
    if set(words) & REMOTE_ENGINES and ("ENGINE" in words or "TYPE" in words):
        found.add(EffectClass.OUTBOUND)
    objects = (
        _named(tokens, words, place if kind in _WHATS else 0)
        if words[0] != "TRUNCATE"
        else _truncated(tokens)
    )
    if any(named.name.partition(".")[0].lower() in SYSTEM_SCHEMAS for named in objects):
        found.add(EffectClass.ADMIN)
    return Classification(effects=frozenset(found), objects=objects)


def _truncated(tokens: Sequence[Token]) -> tuple[Named, ...]:
    start = 2 if len(tokens) > 2 and tokens[1].name == "TABLE" and tokens[1].kind is Kind.WORD else 1
    return tuple(_names(tokens, start)[:1])


def _named(tokens: Sequence[Token], words: Sequence[str], place: int) -> tuple[Named, ...]:
    if not place:
        return ()
    start = place + 1
    while start < len(words) and words[start] in _SKIPPED and tokens[start].kind is Kind.WORD:
        start += 1
    if words[place] == "INDEX" and "ON" in words[start:]:
        start = words.index("ON", start) + 1
    if words[place] == "TRIGGER":
        return tuple(_names(tokens, words.index("ON", start) + 1)[:1]) if "ON" in words[start:] else ()
    found = _names(tokens, start)
    return tuple(found if words[0] in ("DROP", "RENAME") else found[:1])


def _names(tokens: Sequence[Token], start: int) -> list[Named]:
    """The names of a list `a, b.c TO d`, up to the first token that is none."""
    found: list[str] = []
    parts: list[str] = []
    for token in tokens[start:]:
        if token.kind in (Kind.WORD, Kind.QUOTED) and (not parts or parts[-1] == "."):
            if token.kind is Kind.WORD and token.name in (
                "TO",
                "CASCADE",
                "RESTRICT",
                "AS",
                "LIKE",
                "SELECT",
                "WAIT",
            ):
                break
            parts.append(token.name if token.kind is Kind.QUOTED else token.text)
        elif token.text == "." and parts:
            parts.append(".")
        elif token.text == "," or (token.name == "TO" and parts):
            found.append("".join(parts))
            parts = []
        else:
            break
    return [Named(name=name, operation=Operation.DDL) for name in [*found, "".join(parts)] if name]


def _loaded(tokens: Sequence[Token], words: Sequence[str]) -> tuple[Named, ...]:
    if words[0] != "LOAD" or "INTO" not in words:
        return ()
    named = _names(tokens, words.index("INTO") + 2)[:1]
    return tuple(Named(name=one.name, operation=Operation.CREATE) for one in named)
