"""The options of a MySQL or MariaDB system. Reads no network; every problem is told at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from clearance.core.model import Environment
from clearance.errors import ConfigurationError, Problem


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`dsn` is `mysql://user:password@host:port/database`, `dsn_env` the variable that holds one.

    `environments` names what a fingerprint is. `reviewed` are functions known to only read (`shop.tax`).
    """

    dsn: str = ""
    dsn_env: str = ""
    environments: dict[str, Environment] = {}
    reviewed: list[str] = []
    connect_timeout_seconds: int = 5
    lock_timeout_seconds: int = 5
    statement_timeout_seconds: int = 60
    most_rows: int = 100_000  # images of one action; about 0.2 GB at 1 kB a row, before and after


class Place(Struct, frozen=True, kw_only=True):
    """Where the server is and who asks. Never shown: it holds the password."""

    host: str
    port: int
    user: str
    password: str
    schema: str


def read_options(name: str, options: Mapping[str, Any]) -> tuple[Options, Place]:
    """Raises ConfigurationError."""
    try:
        read = msgspec.convert(dict(options), Options)
    except msgspec.ValidationError as error:
        raise _problems(name, [str(error)]) from error
    found = _wrong(read)
    if found:
        raise _problems(name, found)
    return read, _place(name, read.dsn or os.environ[read.dsn_env])


def _wrong(read: Options) -> list[str]:
    found = []
    if bool(read.dsn) == bool(read.dsn_env):
        found.append("give one of `dsn` and `dsn_env`")
    elif read.dsn_env and not os.environ.get(read.dsn_env):
        found.append(f"the environment variable {read.dsn_env} of `dsn_env` is not set")
    limits = (read.connect_timeout_seconds, read.lock_timeout_seconds, read.statement_timeout_seconds)
    if min(limits) < 1 or read.most_rows < 1:
        found.append("time limits and `most_rows` are at least 1")
    return found


def _place(name: str, dsn: str) -> Place:
    parts = urlsplit(dsn)
    try:
        port = parts.port or 3306
    except ValueError as error:
        raise _problems(name, ["the port of the DSN is no number"]) from error
    schema = unquote(parts.path.lstrip("/"))
    scheme = parts.scheme.partition("+")[0]
    if scheme not in ("mysql", "mariadb") or not parts.hostname or not schema or parts.query:
        raise _problems(name, ["the DSN is not of the form mysql://user:password@host:port/database"])
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Place(host=parts.hostname, port=port, user=user, password=password, schema=schema)


def _problems(name: str, messages: list[str]) -> ConfigurationError:
    return ConfigurationError([Problem("wrong_value", f"system `{name}`: {message}") for message in messages])
