"""The options of a PostgreSQL system, read and judged. Opens nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from clearance.core.model import Environment
from clearance.errors import ConfigurationError, Problem

GUARD = "clearance_guard"


class Counter(StrEnum):
    """What an undo does with a table whose rows others change all the time (totals kept by a trigger).

    EXACT: like any other, changed since is a conflict. REPORT: such a row is left and named. SKIP: left be.
    """

    EXACT = "exact"
    REPORT = "report"
    SKIP = "skip"


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As configured. Exactly one of `dsn` and `dsn_env`; `undo_dsn` is the role that puts rows back.

    `exclude` are append-only tables (an audit trail) whose rows stay after an undo. `most_rows` refuses an
    action that touches more. `trust_functions` lets functions be tried although the role could leave the
    database through them.
    """

    dsn: str = ""
    dsn_env: str = ""
    undo_dsn: str = ""
    undo_dsn_env: str = ""
    environments: dict[str, Environment] = {}
    exclude: tuple[str, ...] = ()
    counters: dict[str, Counter] = {}
    lock_timeout_seconds: float = 5.0
    statement_timeout_seconds: float = 60.0
    most_rows: int = 2_000_000
    trust_functions: bool = False

    @property
    def main(self) -> str:
        return self.dsn or os.environ.get(self.dsn_env, "")

    @property
    def undo(self) -> str:
        """The role that saves and restores; the session's own where no other is named."""
        return self.undo_dsn or os.environ.get(self.undo_dsn_env, "") or self.main


def read_options(name: str, options: Mapping[str, Any]) -> Options:
    """Raises ConfigurationError with every problem; no message quotes a DSN."""
    try:
        read = msgspec.convert(dict(options), Options, strict=True)
    except msgspec.ValidationError as error:
        raise _problems(name, [f"{error}"]) from None
    found = [*_dsn_problems(read)]
    for limit in ("lock_timeout_seconds", "statement_timeout_seconds", "most_rows"):
        if getattr(read, limit) <= 0:
            found.append(f"`{limit}` must be more than 0")
    if found:
        raise _problems(name, found)
    return read


def _dsn_problems(read: Options) -> list[str]:
    found = []
    if bool(read.dsn) == bool(read.dsn_env):
        found.append("give exactly one of `dsn` and `dsn_env`")
    if read.undo_dsn and read.undo_dsn_env:
        found.append("give only one of `undo_dsn` and `undo_dsn_env`")
    for variable in (read.dsn_env, read.undo_dsn_env):
        if variable and not os.environ.get(variable):
            found.append(f"the environment variable `{variable}` is not set")
    return found


def _problems(name: str, messages: list[str]) -> ConfigurationError:
    return ConfigurationError([Problem("wrong_value", f"system `{name}`: {message}") for message in messages])
