"""One SQL text to an operation and the tables it names. Reads text only: no schema, no connection.

Conservative by construction: what is not one plain statement whose every word is understood is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clearance.core.model import Operation
from clearance.core.normalize.reading import Reading, read_as_unknown
from clearance.core.normalize.sql_tables import objects, tables, target
from clearance.core.normalize.sql_tokens import Kind, Token, tokens
from clearance.core.normalize.sql_words import (
    ADMIN_OBJECTS,
    DDL_VERBS,
    PURE_FUNCTIONS,
    STRUCTURE_WORDS,
    UNSAFE_WORDS,
)

_UNKNOWN = read_as_unknown("sql")
_START = Token(kind=Kind.SIGN, text="")
# An unsafe word is harmless right after one of these: `ON CONFLICT DO UPDATE SET`, `AFTER DELETE`.
_UPSERT = {"DO": {"NOTHING", "UPDATE"}, "UPDATE": {"DO", "KEY"}, "SET": {"UPDATE"}}
_TRIGGERS = {"ON", "AFTER", "BEFORE", "OR", "OF"}


def read_sql(text: str) -> Reading:
    """Operation and `sql:<schema.table>` resources, folded to lower case; UNKNOWN where in doubt."""
    found = tokens(text)
    if not found or found[0].kind is not Kind.WORD:
        return _UNKNOWN
    reader = _READERS.get(found[0].text)
    return reader(found) if reader else _UNKNOWN


def _select(found: Sequence[Token]) -> Reading:
    if not _only_reads(found) or not any(token.text == "SELECT" for token in found):
        return _UNKNOWN
    return Reading(operation=Operation.READ, resources=tables(found))


def _explain(found: Sequence[Token]) -> Reading:
    """EXPLAIN of a SELECT, without options: ANALYZE would run it."""
    for start, token in enumerate(found[1:5], 1):
        if token.text in ("SELECT", "WITH"):
            return _select(found[start:])
        if token.text not in ("QUERY", "PLAN", "VERBOSE"):
            break
    return _UNKNOWN


def _show(found: Sequence[Token]) -> Reading:
    """SHOW and DESCRIBE: plain words only, and none that ends trust but the CREATE of SHOW CREATE TABLE."""
    rest = found[2:] if len(found) > 1 and found[1].text == "CREATE" else found[1:]
    plain = all(token.kind is not Kind.SIGN or token.text in ".=" for token in rest)
    if not rest or len(rest) > 12 or not plain or _unsafe(rest):
        return _UNKNOWN
    return Reading(operation=Operation.READ)


def _insert(found: Sequence[Token]) -> Reading:
    table, rest = target(found, 2)
    if len(found) < 4 or found[1].text != "INTO" or table is None or found[2].text in UNSAFE_WORDS:
        return _UNKNOWN
    if any(not _upserts(rest, index) for index in _unsafe(rest)) or not _calls_known(rest):
        return _UNKNOWN
    updates = any(token == Token(kind=Kind.WORD, text="UPDATE") for token in rest)
    operation = Operation.UPDATE if updates else Operation.CREATE
    return Reading(operation=operation, resources=(table, *tables(rest)))


def _upserts(rest: Sequence[Token], index: int) -> bool:
    word = rest[index].text
    before = rest[index - 1].text if index else ""
    after = rest[index + 1].text if index + 1 < len(rest) else ""
    return (after if word == "DO" else before) in _UPSERT.get(word, ())


def _update(found: Sequence[Token]) -> Reading:
    table, rest = target(found, 1)
    words = [token.text for token in rest[:3] if token.kind is not Kind.SIGN]
    if table is None or "SET" not in words:
        return _UNKNOWN
    body = rest[words.index("SET") + 1 :]
    if rest[words.index("SET")].text != "SET" or not _only_reads(body):
        return _UNKNOWN
    return Reading(operation=Operation.UPDATE, resources=(table, *tables(body)))


def _delete(found: Sequence[Token]) -> Reading:
    table, rest = target(found, 2)
    if len(found) < 3 or found[1].text != "FROM" or table is None:
        return _UNKNOWN
    if (rest and rest[0].kind not in (Kind.WORD, Kind.QUOTED)) or not _only_reads(rest):
        return _UNKNOWN
    return Reading(operation=Operation.DELETE, resources=(table, *tables(rest)))


def _ddl(found: Sequence[Token]) -> Reading:
    words = [token.text for token in found]
    rest = found[3:] if words[1:3] == ["OR", "REPLACE"] else found[1:]
    if not rest or any(not _part_of_ddl(found, index) for index in _unsafe(found)):
        return _UNKNOWN
    if "SELECT" in words and not _calls_known(found[words.index("SELECT") :]):
        return _UNKNOWN
    if rest[0].text in ADMIN_OBJECTS:
        return Reading(operation=Operation.ADMIN)
    return Reading(operation=Operation.DDL, resources=objects(rest))


def _part_of_ddl(found: Sequence[Token], index: int) -> bool:
    word = found[index].text
    if word in ("INSERT", "UPDATE", "DELETE"):
        return found[index - 1].text in _TRIGGERS
    return word in DDL_VERBS or word in ("IF", "RENAME", "SET")


def _admin(found: Sequence[Token]) -> Reading:
    """GRANT and REVOKE name privileges up to ON; SET and RESET name nothing that could run."""
    words = [token.text for token in found]
    names_privileges = words[0] in ("GRANT", "REVOKE", "DENY") and "ON" in words
    rest = found[words.index("ON") :] if names_privileges else found[1:]
    unsafe = [index for index in _unsafe(rest) if rest[index].text != "GRANT"]
    return _UNKNOWN if unsafe or len(found) < 2 else Reading(operation=Operation.ADMIN)


def _only_reads(found: Sequence[Token]) -> bool:
    return not _unsafe(found) and _calls_known(found)


def _unsafe(found: Sequence[Token]) -> list[int]:
    return [
        index for index, token in enumerate(found) if token.kind is Kind.WORD and token.text in UNSAFE_WORDS
    ]


def _calls_known(found: Sequence[Token]) -> bool:
    """True where every parenthesis follows a sign, a keyword or a function that only computes.

    A string where a table is expected is a file or an address in some dialects: not known either.
    """
    before, last = _START, _START
    for token in found:
        if token.text == "(" and token.kind is Kind.SIGN and not _may_open(last, before):
            return False
        if token.kind is Kind.STRING and last.text in ("FROM", "JOIN"):
            return False
        before, last = last, token
    return True


def _may_open(token: Token, before: Token) -> bool:
    if token.kind is Kind.SIGN:
        return token.text != ")"
    known = token.text in STRUCTURE_WORDS or token.text in PURE_FUNCTIONS
    return token.kind is Kind.WORD and known and before.text != "."


_READERS: dict[str, Callable[[Sequence[Token]], Reading]] = {
    "SELECT": _select,
    "WITH": _select,
    "EXPLAIN": _explain,
    "SHOW": _show,
    "DESC": _show,
    "DESCRIBE": _show,
    "INSERT": _insert,
    "UPDATE": _update,
    "DELETE": _delete,
    "GRANT": _admin,
    "REVOKE": _admin,
    "DENY": _admin,
    "SET": _admin,
    "RESET": _admin,
    **dict.fromkeys(DDL_VERBS, _ddl),
}
