"""What a tool's name alone suggests: an operation and a family. A suggestion, never a declaration."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from msgspec import Struct

from clearance.core.model import Family, Operation
from clearance.core.model.names import canonical
from clearance.core.normalize.reading import strictest
from clearance.core.normalize.verbs import CLEAR, CONJUNCTIONS, DOUBTFUL, EXACT, LEADING

MAX_NAME = 256  # characters; a longer name is not read at all
_NAMESPACE = re.compile(r"__+|[./:]+")


def _table(*sources: dict[Operation, str]) -> dict[str, Operation]:
    return {
        word: operation for source in sources for operation, words in source.items() for word in words.split()
    }


_NAMES: dict[Operation, str] = {
    operation: operation.value for operation in Operation if operation is not Operation.RESTORE
}
_EXACT = _table(_NAMES, EXACT)
_CLEAR = _table(CLEAR)
_DOUBTFUL = _table(DOUBTFUL)
_VERBS = _table(LEADING, DOUBTFUL, CLEAR)

_SHELL_WORDS = frozenset({"bash", "powershell", "shell", "zsh"})
_SQL_LIST = """
    bigquery clickhouse database db duckdb mariadb mssql mysql postgres postgresql redshift snowflake sql
    sqlite
"""
_SQL_WORDS = frozenset(_SQL_LIST.split())
_HTTP_WORDS = frozenset(
    ["browse", "curl", "http", "https", "request", "requests", "url", "webhook", "webpage"]
)
_FILE_WORDS = frozenset(["dir", "directory", "file", "files", "filesystem", "folder", "path"])
_MESSAGE_WORDS = frozenset(["email", "emails", "dm", "mail", "message", "messages", "sms"])
# Verbs that only carry the text they are given: what the text says counts instead.
_CARRIERS = frozenset(["exec", "execute", "invoke", "query", "run"])
_CARRYING = (
    _CARRIERS
    | _SHELL_WORDS
    | _SQL_WORDS
    | {"api", "cli", "cmd", "command", "commands", "curl", "http", "https", "in", "raw", "remote", "request"}
    | {"requests", "script", "statement", "terminal"}
)


class Suggestion(Struct, frozen=True, kw_only=True):
    """`operation` is None where the name tells nothing.

    `beyond_carrier` is what is left to tell without words like `execute` and `query`, which only hand on
    what they are given. `only_carries` is true of a name that has no other words: `run_query`, `bash`.
    """

    operation: Operation | None = None
    beyond_carrier: Operation | None = None
    family: Family | None = None
    only_carries: bool = False


_NOTHING = Suggestion()


def suggested(name: str) -> Suggestion:
    """What the name suggests; nothing for a name too long or not in plain letters."""
    return _NOTHING if len(name) > MAX_NAME else _suggested(name)


@lru_cache(maxsize=8_192)
def _suggested(name: str) -> Suggestion:
    if not unicodedata.normalize("NFKC", name).isascii():
        return _NOTHING  # a letter that only looks like another must not decide
    parts = [part for part in map(canonical, _NAMESPACE.split(name)) if part]
    if not parts:
        return _NOTHING
    words = [word for part in parts for word in part.split("_")]
    exact = _EXACT.get("_".join(parts))
    beyond = exact or _of_parts(["_".join(_not_carriers(part)) for part in parts])
    harmless = exact is None and beyond in (None, Operation.EXECUTE)
    return Suggestion(
        operation=exact or _of_parts(parts),
        beyond_carrier=beyond,
        family=_family(words),
        only_carries=harmless and _CARRYING.issuperset(parts[-1].split("_")),
    )


def _not_carriers(part: str) -> list[str]:
    return [word for word in part.split("_") if word not in _CARRIERS]


def _of_parts(parts: list[str]) -> Operation | None:
    """From the last part of a name with namespaces, else from all; a clear verb counts in every part."""
    words = [word for part in parts for word in part.split("_")]
    operation = _operation(parts[-1].split("_")) or _operation(words)
    return None if operation is None else _strictest_clear(operation, words)


def _operation(words: list[str]) -> Operation | None:
    start = next((index for index, word in enumerate(words) if word in _VERBS), None)
    if start is None:
        return None
    verb = _VERBS[words[start]]
    rest = words[start + 1 :]
    for before, word in zip(words[start:], rest, strict=False):
        if before in CONJUNCTIONS:
            verb = strictest(verb, _VERBS.get(word, verb))
    if rest and rest[0] in CONJUNCTIONS and (len(rest) == 1 or rest[1] not in _VERBS):
        return Operation.UNKNOWN  # two verbs, one of them not in the table
    verb = _strictest_clear(verb, rest)
    return Operation.UNKNOWN if verb is Operation.READ and _doubtful(rest, start) else verb


def _strictest_clear(verb: Operation, words: list[str]) -> Operation:
    for word in words:
        if word in _CLEAR:
            verb = strictest(verb, _CLEAR[word])
    return verb


def _doubtful(rest: list[str], start: int) -> bool:
    """True where a name that seems to read may also do more. Names are noun first where `start` is not 0."""
    if any(word in _DOUBTFUL for word in rest):
        return True
    return start > 0 and bool(rest) and _VERBS.get(rest[-1], Operation.READ) is not Operation.READ


def _family(words: list[str]) -> Family | None:
    found = set(words)
    for family, known in (
        (Family.SHELL, _SHELL_WORDS),
        (Family.SQL, _SQL_WORDS),
        (Family.MESSAGE, _MESSAGE_WORDS),
        (Family.FILE, _FILE_WORDS),
        (Family.HTTP, _HTTP_WORDS),
    ):
        if not found.isdisjoint(known):
            return family
    return None
