"""Shell command lines to an operation and resources. Never anything milder than EXECUTE; runs nothing.

Only one plain command is read. Whatever a shell would expand, join, redirect or hand on is UNKNOWN.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from clearance.core.model import Operation, Resource
from clearance.core.normalize.files import file_resource
from clearance.core.normalize.reading import Reading, distinct, named, read_as_unknown
from clearance.core.normalize.sql import read_sql

_UNKNOWN = read_as_unknown("command")
_MAX_COMMAND = 32_768  # characters
_SINGLE_QUOTED = re.compile(r"'[^']*'")
_EXPANDED = re.compile(r"[;|&<>`$(){}\\\n\r!]")
# Commands that run what they are given.
_RUNNERS_LIST = """
    . ash at awk batch bash builtin busybox chroot command csh dash docker doas entr env eval exec expect
    fish gawk kubectl ksh make nice nohup nsenter parallel podman powershell pwsh rsh screen script setsid
    sh source ssh stdbuf strace su sudo systemd-run tcsh time timeout tmux unshare watch wsl xargs zsh
"""
_RUNNERS = frozenset(_RUNNERS_LIST.split())
_DELETING = frozenset({"rm", "rmdir", "shred", "unlink"})
_SQL_CLIENTS = frozenset({"mariadb", "mysql", "psql", "sqlite3", "sqlcmd"})
_SQL_OPTIONS = ("-c", "-e", "-Q", "-q", "--command", "--execute")
_MIGRATORS_LIST = """
    alembic dbmate flyway goose knex liquibase prisma sequelize sequelize-cli typeorm
"""
_MIGRATORS = frozenset(_MIGRATORS_LIST.split())
_LAUNCHERS = frozenset(["bundle", "bunx", "npm", "npx", "pnpm", "poetry", "python", "python3", "uv", "yarn"])
_DJANGO = frozenset({"flush", "migrate", "sqlflush"})
_FIND_RUNS = frozenset(["-exec", "-execdir", "-fls", "-fprint", "-fprint0", "-fprintf", "-ok", "-okdir"])


def read_shell(command: Any) -> Reading:
    """From a command line, or a list of words that no shell will expand."""
    words = _words(command)
    if not words or not _plain_name(words[0]):
        return _UNKNOWN
    name = words[0].rsplit("/", 1)[-1].lower().removesuffix(".exe")
    if name in _RUNNERS:
        return _UNKNOWN
    operation, files = _meaning(name, words[1:])
    if operation is Operation.UNKNOWN:
        return _UNKNOWN
    return Reading(operation=operation, resources=distinct([named("command", name), *files]))


def _words(command: Any) -> list[str]:
    if isinstance(command, list | tuple):
        readable = all(isinstance(word, str) and "\0" not in word for word in command)
        return list(command) if readable and len(command) < _MAX_COMMAND else []
    if not isinstance(command, str) or len(command) > _MAX_COMMAND or not command.isprintable():
        return []
    if _EXPANDED.search(_SINGLE_QUOTED.sub("", command)):
        return []
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _plain_name(word: str) -> bool:
    return bool(word) and word.isascii() and not set(word) & set("=*?[~ ")


def _meaning(name: str, words: Sequence[str]) -> tuple[Operation, list[Resource]]:
    if name in _DELETING:
        return Operation.DELETE, _operands(words)
    if name == "find":
        return _find(words)
    if name in _SQL_CLIENTS:
        return _sql_client(words), []
    if _migrates(name, words):
        return Operation.DDL, []
    return Operation.EXECUTE, []


def _find(words: Sequence[str]) -> tuple[Operation, list[Resource]]:
    if not _FIND_RUNS.isdisjoint(words):
        return Operation.UNKNOWN, []
    starts = []
    for word in words:
        if word.startswith(("-", "(", "!")):
            break
        starts.append(word)
    files = [file_resource(start) for start in starts or ["."]]
    return (Operation.DELETE if "-delete" in words else Operation.EXECUTE), files


def _operands(words: Sequence[str]) -> list[Resource]:
    operands: list[str] = []
    options = True
    for word in words:
        if options and word == "--":
            options = False
        elif not options or not word.startswith("-"):
            operands.append(word)
    return [file_resource(word) for word in operands]


def _sql_client(words: Sequence[str]) -> Operation:
    """DDL, since a client may do anything to a schema; UNKNOWN where the SQL it is given cannot be read."""
    given = [after for word, after in pairwise(words) if word in _SQL_OPTIONS]
    readings = [read_sql(text).operation for text in given]
    return Operation.UNKNOWN if Operation.UNKNOWN in readings else Operation.DDL


def _migrates(name: str, words: Sequence[str]) -> bool:
    if name in _MIGRATORS or (name in _LAUNCHERS and not _MIGRATORS.isdisjoint(words)):
        return True
    if name in ("rails", "rake", "bin/rails") or (
        name in _LAUNCHERS and not {"rails", "rake"}.isdisjoint(words)
    ):
        return any(word.startswith("db:") for word in words)
    django = name in ("django-admin", "manage.py") or any(word.endswith("manage.py") for word in words)
    return django and not _DJANGO.isdisjoint(words)
