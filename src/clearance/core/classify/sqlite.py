"""One SQLite statement to its effects, by its text alone. Sees no schema: triggers and views stay unseen.

Whatever is not one statement of which every function is reviewed is UNKNOWN. It never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from clearance.core.classify.sqlite_tokens import Kind, Token, one_statement
from clearance.core.classify.sqlite_words import FUNCTIONS, is_table_function, pragma_effect, words
from clearance.core.model import Classification, EffectClass, Named, Operation
from clearance.core.model.effects import unknown

_READ, _WRITE, _DELETE = EffectClass.READ, EffectClass.WRITE, EffectClass.DELETE
_DDL, _ADMIN, _SESSION = EffectClass.DDL, EffectClass.ADMIN, EffectClass.SESSION

# Words that may stand before a bracket without being a function.
_BEFORE_BRACKET: Final = words(
    """
    ALL AND AS BETWEEN BY CASE CHECK CONFLICT DISTINCT ELSE END EXCEPT EXISTS FILTER FROM GLOB GROUPS
    HAVING IN INDEXED INTERSECT IS ISNULL JOIN KEY LIKE LIMIT MATCH MATERIALIZED NOT NOTNULL OFFSET ON
    OR OVER RANGE REGEXP RETURNING ROWS SELECT SET THEN UNION UNIQUE USING VALUES WHEN WHERE WINDOW
    ESCAPE CAST
    """
)
_VERBS: Final = frozenset({"SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"})
_OPERATIONS: Final = {
    "INSERT": Operation.CREATE,
    "REPLACE": Operation.CREATE,
    "UPDATE": Operation.UPDATE,
    "DELETE": Operation.DELETE,
}
_TARGETS: Final = {"INSERT": "INTO", "REPLACE": "INTO", "UPDATE": "UPDATE", "DELETE": "FROM"}
_TEMPORARY: Final = {"TEMP", "TEMPORARY"}
_OBJECTS: Final = {"TABLE", "INDEX", "VIEW", "TRIGGER", "VIRTUAL", "UNIQUE"}


def classify_sqlite(statement: str) -> Classification:
    """What the statement would do in any database, as far as its text tells."""
    found = one_statement(statement)
    if not found:
        return unknown("no statement" if found == [] else "not one statement that can be read")
    reader = _READERS.get(found[0].text) if found[0].kind is Kind.WORD else None
    return reader(found) if reader else unknown("an unreviewed kind of statement")


def _rows(found: Sequence[Token]) -> Classification:
    """SELECT, VALUES, WITH and the statements that change rows."""
    at = _verb(found)
    if at is None:
        return unknown("a WITH without a statement")
    verb = found[at].text
    unread = tuple(_unreviewed(found))
    if verb in ("SELECT", "VALUES"):
        return _made({_READ}, (), unread)
    target = _name_after(found[at:], _TARGETS[verb])
    if target is None or target.split(".")[-1].startswith("sqlite_"):
        return unknown("the changed table could not be read, or is SQLite's own")
    effects = {_DELETE} if verb == "DELETE" else {_WRITE}
    objects = [Named(name=target, operation=_OPERATIONS[verb])]
    words = [token.text if token.kind is Kind.WORD else "" for token in found[at:]]
    if verb == "REPLACE" or words[1:3] == ["OR", "REPLACE"]:
        effects.add(_DELETE)
        objects.append(Named(name=target, operation=Operation.DELETE))
    if verb == "INSERT" and _follows(words, "DO", "UPDATE"):
        objects.append(Named(name=target, operation=Operation.UPDATE))
    if "RETURNING" in words:
        effects.add(_READ)
    return _made(effects, objects, unread)


def _verb(found: Sequence[Token]) -> int | None:
    """Where the statement proper starts: outside of every bracket, after the WITH."""
    depth = 0
    for index, token in enumerate(found):
        if token.kind is Kind.SIGN:
            depth += (token.text == "(") - (token.text == ")")
        elif depth == 0 and token.kind is Kind.WORD and token.text in _VERBS:
            return index
    return None


def _unreviewed(found: Sequence[Token]) -> Iterator[str]:
    """Every name before a bracket that is no reviewed function, no column list, no word of the language."""
    for index, token in enumerate(found[1:], 1):
        name = found[index - 1]
        if token.text != "(" or token.kind is not Kind.SIGN or not name.is_name:
            continue
        if name.kind is Kind.WORD and name.text in _BEFORE_BRACKET:
            continue
        lowered = name.text.lower()
        if lowered in FUNCTIONS or is_table_function(lowered):
            continue
        if not _is_target(found, index - 1) and not _is_common_table(found, index):
            yield "a function that is not reviewed"


def _is_target(found: Sequence[Token], at: int) -> bool:
    """`INTO t (`, `INTO main.t (`, `INTO t AS x (`."""
    before = [token.text for token in found[max(0, at - 4) : at] if token.kind is not Kind.VALUE]
    return before[-1:] == ["INTO"] or (
        len(before) >= 3 and before[-3] == "INTO" and before[-1] in (".", "AS")
    )


def _is_common_table(found: Sequence[Token], bracket: int) -> bool:
    """`WITH x (a, b) AS (`: the bracket's end is followed by AS and, past a hint, by another bracket."""
    if bracket < 2 or found[bracket - 2].text not in ("WITH", "RECURSIVE", ","):
        return False
    depth = 0
    for index in range(bracket, len(found)):
        depth += (found[index].text == "(") - (found[index].text == ")")
        if depth == 0:
            rest = [token.text for token in found[index + 1 : index + 5]]
            rest = [word for word in rest if word not in ("NOT", "MATERIALIZED")]
            return rest[:2] == ["AS", "("]
    return False


def _create(found: Sequence[Token]) -> Classification:
    words = [token.text for token in found[:4] if token.kind is Kind.WORD]
    if "TRIGGER" in words or "VIEW" in words or words[1:2] == ["VIRTUAL"]:
        unread: tuple[str, ...] = ()
    else:
        unread = tuple(_unreviewed(found)) if "AS" in [token.text for token in found] else ()
    temporary = words[1:2] and words[1] in _TEMPORARY
    rest = words[2:] if temporary else words[1:]
    if not rest or rest[0] not in _OBJECTS:
        return unknown("an unreviewed CREATE")
    if temporary:
        return _made({_SESSION}, (), unread)
    kinds = [word for word in rest if word in _OBJECTS - {"UNIQUE", "VIRTUAL"}]
    if not kinds:
        return unknown("an unreviewed CREATE")
    return _made({_DDL}, _named(found, kinds[0]), unread)


def _alter(found: Sequence[Token]) -> Classification:
    if len(found) < 4 or found[1].text != "TABLE":
        return unknown("an unreviewed ALTER")
    return _made({_DDL}, _named(found, "TABLE"), ())


def _drop(found: Sequence[Token]) -> Classification:
    if len(found) < 3 or found[1].text not in _OBJECTS:
        return unknown("an unreviewed DROP")
    effects = {_DDL, _DELETE} if found[1].text == "TABLE" else {_DDL}
    return _made(effects, _named(found, found[1].text), ())


def _named(found: Sequence[Token], kind: str) -> list[Named]:
    name = _name_after(found, kind)
    return [Named(name=name, operation=Operation.DDL)] if name else []


def _explain(found: Sequence[Token]) -> Classification:
    """EXPLAIN never runs a statement; some pragmas act while they are only prepared (sqlite.org/pragma)."""
    start = 3 if [token.text for token in found[1:3]] == ["QUERY", "PLAN"] else 1
    rest = found[start:]
    if not rest:
        return unknown("an EXPLAIN of nothing")
    if rest[0].text == "PRAGMA":
        return _pragma(rest)
    inner = _READERS.get(rest[0].text)
    if inner is None or inner in (_explain, _admin):  # EXPLAIN ANALYZE runs the statement in other databases
        return unknown("an EXPLAIN of an unreviewed statement")
    return _made({_READ}, (), ())


def _pragma(found: Sequence[Token]) -> Classification:
    """`PRAGMA [schema.]name [= value | (value)]`."""
    at = 3 if len(found) > 3 and found[2].text == "." else 1
    if len(found) <= at or not found[at].is_name:
        return unknown("a PRAGMA without a name")
    given = len(found) > at + 1
    if given and found[at + 1].text not in ("=", "("):
        return unknown("a PRAGMA that could not be read")
    effect = pragma_effect(found[at].text, "" if given else None)
    unread = ("a PRAGMA that is not reviewed",) if effect is EffectClass.UNKNOWN else ()
    return _made({effect}, (), unread)


def _vacuum(found: Sequence[Token]) -> Classification:
    """VACUUM INTO writes a whole copy to a path of the caller's choice."""
    into = any(token.kind is Kind.WORD and token.text == "INTO" for token in found)
    return _made({_ADMIN, EffectClass.OUTBOUND} if into else {_ADMIN}, (), ())


def _admin(found: Sequence[Token]) -> Classification:
    return _made({_ADMIN}, (), tuple(_unreviewed(found)))


def _session(_found: Sequence[Token]) -> Classification:
    return _made({_SESSION}, (), ())


def _name_after(found: Sequence[Token], word: str) -> str | None:
    """The table name after a word, past IF [NOT] EXISTS and OR <resolution>; a schema is kept."""
    words = [token.text if token.kind is Kind.WORD else "" for token in found]
    if word not in words:
        return None
    at = words.index(word) + 1
    while at < len(found) and words[at] in ("IF", "NOT", "EXISTS"):
        at += 1
    if word == "UPDATE" and at < len(found) and words[at] == "OR":
        at += 2
    if at >= len(found) or not (found[at].is_name or found[at].kind is Kind.VALUE):
        return None
    name = _folded(found[at])
    if at + 2 < len(found) and found[at + 1].text == "." and found[at + 2].is_name:
        schema, name = name, _folded(found[at + 2])
        return name if schema == "main" else f"{schema}.{name}"
    return name or None


def _folded(token: Token) -> str:
    return token.text.lower()


def _follows(words: Sequence[str], first: str, second: str) -> bool:
    return any(pair == (first, second) for pair in pairwise(words))


def _made(effects: set[EffectClass], objects: Sequence[Named], unread: tuple[str, ...]) -> Classification:
    return Classification(
        effects=frozenset(effects),
        objects=tuple(dict.fromkeys(objects)),
        unknown=tuple(dict.fromkeys(unread)),
    )


_READERS: Final[dict[str, Callable[[Sequence[Token]], Classification]]] = {
    "SELECT": _rows,
    "VALUES": _rows,
    "WITH": _rows,
    "INSERT": _rows,
    "REPLACE": _rows,
    "UPDATE": _rows,
    "DELETE": _rows,
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "EXPLAIN": _explain,
    "PRAGMA": _pragma,
    "VACUUM": _vacuum,
    "ATTACH": _admin,
    "DETACH": _admin,
    "REINDEX": _admin,
    "ANALYZE": _admin,
    "BEGIN": _session,
    "COMMIT": _session,
    "END": _session,
    "ROLLBACK": _session,
    "SAVEPOINT": _session,
    "RELEASE": _session,
}
