"""One command line or list of words to its effects. Runs nothing, looks nothing up, never raises."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from clearance.core.classify.found import doing, opaque, union
from clearance.core.classify.shell.call import Call, SqlReader
from clearance.core.classify.shell.grammar import MOST_CHARACTERS, Unreadable, parse
from clearance.core.classify.shell.judge import judge
from clearance.core.classify.shell.walk import Walk
from clearance.core.classify.shell.words import Word, literal
from clearance.core.model import Operation
from clearance.core.model.effects import Classification, unknown

_MOST_DEPTH = 16  # commands that run commands; nobody writes more by hand
_DEVICE = re.compile(r"file:/(?:proc/|sys/|dev/(?!(?:null|stdout|stderr|tty|shm/.*|fd/\d+)$))")
_BEGIN = Call(words=())


def sql_not_read(_text: str) -> Classification:
    """Stands in where no reader of SQL is handed in."""
    return unknown("no reader of SQL was given")


def classify_shell(command: str | Sequence[str], *, sql: SqlReader = sql_not_read) -> Classification:
    """Everything that the command would do, in any of its branches.

    A text is read as bash would; the words of a list are taken as they are. `sql` judges the text that a
    database client is given.
    """
    try:
        if isinstance(command, str):
            return _with_devices(_Reader(sql).text(command, _BEGIN))
        words = _words(command)
        if words is None:
            return unknown("the words are not all texts")
        return _with_devices(_Reader(sql).words(words, _BEGIN))
    except Exception:  # fail closed: no input may keep a command from being judged
        return unknown("the command could not be read")


def _with_devices(found: Classification) -> Classification:
    """Whoever writes to a device or a file of the kernel sets the machine itself."""
    admin = any(
        named.operation is not Operation.READ and _DEVICE.match(named.name) for named in found.objects
    )
    return union(found, doing("admin")) if admin else found


def _words(command: object) -> list[Word] | None:
    if not isinstance(command, list | tuple) or not 0 < len(command) < MOST_CHARACTERS:
        return None
    if any(not isinstance(word, str) or "\0" in word for word in command):
        return None
    return [literal(word) for word in command]


class _Reader:
    """Hands each command that another one runs back to the start, as deep as is allowed."""

    def __init__(self, sql: SqlReader) -> None:
        self.sql = sql

    def text(self, command: str, within: Call) -> Classification:
        if within.depth > _MOST_DEPTH:
            return opaque("commands run commands too deeply")
        try:
            root = parse(command)
            if all(child.type == "comment" for child in root.named_children):
                return unknown("the command is empty")
            return Walk(self, replace(within, depth=within.depth + 1, words=(), stdin=None)).visit(root)
        except Unreadable as problem:
            return unknown(str(problem))

    def words(self, words: Sequence[Word], within: Call) -> Classification:
        if within.depth > _MOST_DEPTH:
            return opaque("commands run commands too deeply")
        return judge(replace(within, words=tuple(words), depth=within.depth + 1), self)
