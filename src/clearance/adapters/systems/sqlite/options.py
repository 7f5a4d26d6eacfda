"""The options of a SQLite system: read, checked all together, and which database file they mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from clearance.core.model import Environment
from clearance.errors import ConfigurationError, Problem, SystemUnavailableError

# Above this many rows their images take more than a copy of the file: 3 µs a row to keep and 9 to put back,
# against 4 ms a megabyte and 0.5 µs for each row of the table.
MOST_ROWS: Final = 50_000
MOST_BACKUP_BYTES: Final = 2 * 2**30


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`path`, or `dsn` as `sqlite:///path`, or `dsn_env`: the environment variable that holds the dsn."""

    path: str = ""
    dsn: str = ""
    dsn_env: str = ""
    environments: dict[str, Environment] = {}
    busy_timeout_seconds: float = 5.0
    most_rows: int = MOST_ROWS
    most_backup_bytes: int = MOST_BACKUP_BYTES


class Target(Struct, frozen=True, kw_only=True):
    """One configured system: its name, its options, the file they mean, and where copies are kept."""

    name: str
    options: Options
    path: Path
    images: Path

    @property
    def fingerprint(self) -> str:
        """Which file it is: a file moved into its place has another inode."""
        try:
            real = self.path.resolve(strict=True)
            found = real.stat()
        except OSError as error:
            raise SystemUnavailableError(
                f"system `{self.name}`: the database file cannot be read ({error.strerror}): "
                "create it first, or correct `path`"
            ) from error
        return f"sqlite:{real}:{found.st_dev}:{found.st_ino}"


def read_target(name: str, options: Mapping[str, Any], *, images: Path) -> Target:
    """Raises ConfigurationError with every problem found."""
    try:
        read = msgspec.convert(dict(options), Options)
    except msgspec.ValidationError as error:
        raise ConfigurationError([_problem(name, str(error))]) from error
    problems = list(_problems(name, read))
    path = _path(read)
    if not problems and (not path or path == ":memory:" or path.startswith("file:")):
        problems.append(_problem(name, "`path` must name a database file: one in memory cannot be guarded"))
    if problems:
        raise ConfigurationError(problems)
    return Target(name=name or "sqlite", options=read, path=Path(path).absolute(), images=images)


def _problems(name: str, read: Options) -> list[Problem]:
    found = []
    if sum(map(bool, (read.path, read.dsn, read.dsn_env))) != 1:
        found.append(_problem(name, "give one of `path`, `dsn` and `dsn_env`"))
    if read.dsn_env and read.dsn_env not in os.environ:
        found.append(_problem(name, f"the environment variable `{read.dsn_env}` is not set"))
    elif (read.dsn or read.dsn_env) and not _dsn(read).startswith("sqlite:///"):
        found.append(_problem(name, "the dsn must begin with `sqlite:///`"))
    for option in ("busy_timeout_seconds", "most_rows", "most_backup_bytes"):
        if not getattr(read, option) >= 0:
            found.append(_problem(name, f"`{option}` must not be negative"))
    return found


def _dsn(read: Options) -> str:
    return read.dsn or os.environ.get(read.dsn_env, "")


def _path(read: Options) -> str:
    """`sqlite:///a.db` is relative, `sqlite:////srv/a.db` absolute, as SQLAlchemy writes them."""
    return read.path or unquote(_dsn(read).removeprefix("sqlite:///").partition("?")[0])


def _problem(name: str, message: str) -> Problem:
    return Problem("wrong_value", f"system `{name}`: {message}")
