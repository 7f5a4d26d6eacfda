"""The tables a tokenised statement names, as resources. Judges nothing."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.core.model import Resource
from clearance.core.normalize.reading import distinct, named, unreadable
from clearance.core.normalize.sql_tokens import Kind, Token
from clearance.core.normalize.sql_words import TABLE_MODIFIERS

_NAMING = (Kind.WORD, Kind.QUOTED)
_SOURCES = frozenset({"FROM", "JOIN", "USING"})
_CLAUSES_LIST = """
    EXCEPT GROUP HAVING INTERSECT LIMIT OFFSET ORDER RETURNING SELECT SET UNION VALUES WHERE WINDOW
"""
_CLAUSES = frozenset(_CLAUSES_LIST.split())
_NEVER_A_NAME = _SOURCES | _CLAUSES | {"LATERAL", "ON", "ONLY"}
_CREATED_ON_A_TABLE = frozenset({"INDEX", "POLICY", "TRIGGER"})
_BEFORE_AN_OBJECT_LIST = """
    CONCURRENTLY EXISTS GLOBAL IF LOCAL MATERIALIZED NOT TEMP TEMPORARY UNIQUE
"""
_BEFORE_AN_OBJECT = frozenset(_BEFORE_AN_OBJECT_LIST.split())


def target(found: Sequence[Token], at: int) -> tuple[Resource | None, Sequence[Token]]:
    """The table named at `at`, and the tokens after it; None where no plain name stands there."""
    if at < len(found) and found[at].kind is Kind.WORD and found[at].text in TABLE_MODIFIERS:
        return None, ()
    name, end = _name(found, at)
    return (named("sql", name) if name else None), found[end:]


def tables(found: Sequence[Token]) -> tuple[Resource, ...]:
    """Every table after FROM, JOIN, USING or a comma between tables, subqueries included."""
    scan = _Scan()
    at = 0
    while at < len(found):
        name, end = _name(found, at) if scan.expects(found[at]) else ("", at + 1)
        if name:
            scan.add(named("sql", name))
        else:
            scan.step(found[at])
        at = max(end, at + 1)
    return distinct(scan.resources)


def objects(rest: Sequence[Token]) -> tuple[Resource, ...]:
    """What a CREATE, ALTER, DROP or TRUNCATE names; `rest` begins after the verb."""
    words = [token for token in rest if token.text not in _BEFORE_AN_OBJECT or token.kind is not Kind.WORD]
    if words and words[0].text in _CREATED_ON_A_TABLE:
        ons = [index for index, token in enumerate(words) if token.text == "ON"]
        words = words[ons[0] :] if ons else words
    resources: list[Resource] = []
    at = 1 if len(words) > 1 and words[0].kind is Kind.WORD and words[1].kind in _NAMING else 0
    while at < len(words):
        name, end = _name(words, at)
        resources.append(named("sql", name))
        if end >= len(words) or words[end].text != ",":
            break
        at = end + 1
    return distinct(resources) or (unreadable("sql"),)


class _Scan:
    """Where in a query a name would be a table's: one level for each open parenthesis."""

    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self._in_query = [True]  # a FROM at this level lists tables; in EXTRACT(day FROM x) it does not
        self._listing = [False]
        self._expected = False

    def expects(self, token: Token) -> bool:
        keyword = token.kind is Kind.WORD and token.text in _NEVER_A_NAME
        return self._expected and token.kind is not Kind.SIGN and not keyword

    def add(self, resource: Resource) -> None:
        self.resources.append(resource)
        self._expected = False

    def step(self, token: Token) -> None:
        if token.kind is Kind.SIGN:
            self._sign(token.text)
        elif token.kind is Kind.WORD and token.text in _SOURCES:
            self._listing[-1] = self._expected = self._in_query[-1]
        elif token.kind is Kind.WORD and token.text in _CLAUSES:
            self._in_query[-1] = self._in_query[-1] or token.text == "SELECT"
            self._listing[-1] = self._expected = False
        elif self._expected and token.kind in (Kind.STRING, Kind.VALUE):
            self.add(unreadable("sql"))  # a parameter or a file stands for the table

    def _sign(self, sign: str) -> None:
        if sign == "(":
            self._in_query.append(self._expected)
            self._listing.append(self._expected)
        elif sign == ")" and len(self._listing) > 1:
            self._in_query.pop()
            self._listing.pop()
            self._expected = False
        elif sign == ",":
            self._expected = self._listing[-1]


def _name(found: Sequence[Token], at: int) -> tuple[str, int]:
    """The dotted name that begins at `at`, in lower case, and where it ends; empty where there is none."""
    parts: list[str] = []
    while at < len(found) and found[at].kind in _NAMING:
        parts.append(found[at].text.lower())
        at += 1
        if at + 1 >= len(found) or found[at].text != "." or found[at + 1].kind not in _NAMING:
            break
        at += 1
    return ".".join(parts), at
