"""A connection with pinned settings, and which server answers on it. Never shows a DSN or a server's text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg.rows import tuple_row

from clearance.adapters.systems.postgres.options import Options
from clearance.core.model import Environment
from clearance.errors import SystemUnavailableError

Connection = psycopg.Connection[tuple[Any, ...]]

# What a literal means, and what an image of a row looks like as text, must not depend on who set what before.
PINNED: Final[Mapping[str, str]] = {
    "bytea_output": "hex",
    "datestyle": "ISO, YMD",
    "extra_float_digits": "1",
    "intervalstyle": "postgres",
    "standard_conforming_strings": "on",
    "timezone": "UTC",
    "xmlbinary": "base64",
}


def sql(name: str) -> str:
    """A statement kept beside this module."""
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


class Server(Struct, frozen=True, kw_only=True):
    """Who answers: the cluster and database, and what this role may do there."""

    fingerprint: str
    environment: Environment
    database: int
    user: str
    search_path: str
    counts: bool  # track_counts is on, and stays on
    guarded: bool  # the guard is installed
    escapes: tuple[str, ...]  # ways out of the database that a function could use with this role's rights
    catalogue: tuple[int, ...]  # the tables of pg_catalog


def connect(dsn: str, options: Options, *, settings: Mapping[str, str] = {}) -> Connection:
    """Raises SystemUnavailableError."""
    pinned = {
        **PINNED,
        "lock_timeout": f"{round(options.lock_timeout_seconds * 1000)}",
        "statement_timeout": f"{round(options.statement_timeout_seconds * 1000)}",
        "client_encoding": "UTF8",
        **settings,
    }
    with reached("connect"):
        opened = psycopg.connect(dsn, row_factory=tuple_row, autocommit=True)
        try:
            opened.execute(
                "SELECT pg_catalog.set_config(name, value, false)"
                " FROM ROWS FROM (pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[]))"
                " AS pinned (name, value)",
                (list(pinned), list(pinned.values())),
            )
        except BaseException:
            opened.close()
            raise
        opened.autocommit = False
    return opened


def look(connection: Connection, options: Options) -> Server:
    """Raises SystemUnavailableError. Leaves no transaction open."""
    with reached("read who it is"):
        row = connection.execute(sql("server")).fetchone()
        connection.rollback()
    assert row is not None
    system, database, marker, user, path, counts, guarded, escapes, catalogue = row
    fingerprint = f"postgres:{system}:{database}"
    marked = Environment(marker) if marker in set(Environment) else Environment.UNKNOWN
    return Server(
        fingerprint=fingerprint,
        environment=options.environments.get(fingerprint, marked),
        database=database,
        user=user,
        search_path=path,
        counts=counts,
        guarded=guarded,
        escapes=tuple(escapes),
        catalogue=tuple(catalogue),
    )


@contextmanager
def reached(what: str) -> Iterator[None]:
    """The driver's errors as ours: their text may quote values and addresses, so only the code stays."""
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or "no answer"
        raise SystemUnavailableError(f"PostgreSQL could not {what} ({state}){_advice(state)}") from None


def _advice(state: str) -> str:
    match state:
        case "55P03":
            return ": somebody else holds a lock; try again, or raise lock_timeout_seconds"
        case "57014":
            return ": it took longer than statement_timeout_seconds"
        case "42501":
            return ": the role lacks a right that this needs (docs/systems/postgres.md lists them)"
        case "no answer":
            return ": is the server up, and are the dsn and its password right?"
        case _:
            return ""
