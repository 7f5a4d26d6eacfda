"""One database of each engine, reached twice: plainly by the test, guarded by the connection under test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from clearance import Client
from clearance.adapters.systems import install_guard
from clearance.sql import Connection, connect

ROWS = 20
_MAKE = (
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, state VARCHAR(40) NOT NULL)",
    "INSERT INTO orders (id, state) VALUES "
    + ", ".join(f"({number}, 'open')" for number in range(1, ROWS + 1)),
)


@dataclass
class Database:
    """`plain` runs one statement on a connection of its own, committed; `mark` is a placeholder."""

    kind: str
    dsn: str
    mark: str
    plain: Callable[[str], list[tuple[Any, ...]]]
    error: type[Exception]

    def states(self) -> list[str]:
        return [state for (state,) in self.plain("SELECT state FROM orders ORDER BY id")]


def _postgres(dsn: str) -> Callable[[str], list[tuple[Any, ...]]]:
    def plain(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            done = connection.execute(statement)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []

    return plain


def _mysql(dsn: str) -> Callable[[str], list[tuple[Any, ...]]]:
    where, _, name = dsn.removeprefix("mysql://root@").partition("/")
    host, _, port = where.partition(":")

    def plain(statement: str) -> list[tuple[Any, ...]]:
        with pymysql.connect(
            host=host, port=int(port), user="root", database=name, autocommit=True
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())

    return plain


def _sqlite(path: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    def plain(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path, timeout=5)) as connection, connection:
            return connection.execute(statement).fetchall()

    return plain


ENGINES = [
    pytest.param("sqlite"),
    pytest.param("postgres", marks=pytest.mark.servers),
    pytest.param("mysql", marks=pytest.mark.servers),
]


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    match request.param:
        case "postgres":
            dsn = request.getfixturevalue("postgres_dsn")
            found = Database("postgres", dsn, "%s", _postgres(dsn), psycopg.Error)
        case "mysql":
            dsn = request.getfixturevalue("mariadb_dsn")
            found = Database("mysql", dsn, "%s", _mysql(dsn), pymysql.Error)
        case _:
            import apsw

            path = tmp_path / "shop.db"
            found = Database("sqlite", f"sqlite:///{path}", "?", _sqlite(path), apsw.Error)
    for statement in _MAKE:
        found.plain(statement)
    install_guard(found.kind, {"dsn": found.dsn})
    return found


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path / "store", agent="tester") as opened:
        yield opened


@pytest.fixture
def orders(database: Database, client: Client) -> Iterator[Connection]:
    """A guarded connection to the orders."""
    with connect(database.dsn, client=client, name="shop") as opened:
        yield opened
