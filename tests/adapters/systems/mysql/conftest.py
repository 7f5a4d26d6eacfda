"""A small shop on a real MariaDB, a guarded session on it, and an exact dump to compare before with after."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest
from pymysql.cursors import Cursor

from clearance.adapters.systems.mysql import open_session, open_system
from clearance.adapters.systems.mysql.session import MysqlSession
from clearance.adapters.systems.mysql.system import MysqlSystem
from clearance.core.model import Action, Context, Operation, Principal, Request, Resource

SHOP = Path(__file__).with_name("shop.sql")
_ids = itertools.count()


class Database:
    """A plain connection, as somebody else has one, and every value of the database as text."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self.name = parts.path[1:]
        assert parts.port is not None
        self._connection = pymysql.connect(
            host="127.0.0.1",
            port=parts.port,
            user="root",
            database=self.name,
            autocommit=True,
            charset="utf8mb4",
        )
        self.run("SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00'")

    def run(self, *statements: str) -> Cursor:
        cursor = self._connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor

    def script(self, text: str) -> None:
        self.run(*(part for part in text.split(";") if part.strip()))

    def number(self, statement: str) -> int:
        row = self.run(statement).fetchone()
        assert row is not None
        return int(row[0])

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table, each value as the bytes it is; no number loses a digit."""
        found = {}
        tables = self.run("SHOW FULL TABLES WHERE Table_type <> 'VIEW'").fetchall()
        for table, *_ in tables:
            named = "`" + str(table).replace("`", "``") + "`"
            columns = self.run(f"SHOW COLUMNS FROM {named}").fetchall()
            cells = ", ".join(self._cell(str(name), str(kind)) for name, kind, *_ in columns)
            found[str(table)] = sorted(self.run(f"SELECT {cells} FROM {named}").fetchall(), key=repr)
        return found

    def _cell(self, name: str, kind: str) -> str:
        quoted = "`" + name.replace("`", "``") + "`"
        return (
            f"CONCAT({quoted} * 1e0)"
            if kind.startswith(("float", "double"))
            else f"HEX(CAST({quoted} AS BINARY))"
        )

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def empty(mariadb_dsn: str) -> Iterator[Database]:
    database = Database(mariadb_dsn)
    yield database
    database.close()


@pytest.fixture(scope="module")
def place(mariadb_server: dict[str, object]) -> Iterator[str]:
    """One database for a module: its tables are made once, its rows anew for every test."""
    name = f"shop_{next(_ids)}"
    dsn = f"mysql://root@127.0.0.1:{mariadb_server['port']}/{name}"
    with pymysql.connect(**mariadb_server, autocommit=True) as connection:  # type: ignore[arg-type]
        connection.cursor().execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        yield dsn
        connection.cursor().execute("SET SESSION lock_wait_timeout = 5")
        connection.cursor().execute(f"DROP DATABASE {name}")


@pytest.fixture
def shop(place: str) -> Iterator[Database]:
    database = Database(place)
    database.script(SHOP.read_text(encoding="utf-8"))
    yield database
    database.close()


@pytest.fixture
def session(place: str, shop: Database, tmp_path: Path) -> Iterator[MysqlSession]:
    opened = open_session("shop", {"dsn": place, "lock_timeout_seconds": 1}, images=tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def system(place: str, tmp_path: Path) -> MysqlSystem:
    return open_system("shop", {"dsn": place, "lock_timeout_seconds": 1}, images=tmp_path)


@pytest.fixture
def fresh() -> Callable[[], str]:
    """Snapshot ids that no other test uses: the guard's schema is the server's."""
    return lambda: f"snap-{next(_ids)}-{id(_ids)}"


def request_for(operation: Operation, **arguments: object) -> Request:
    return Request(
        principal=Principal(agent="tester"),
        action=Action(tool="db", operation=operation, arguments=dict(arguments)),
        resources=(Resource(kind="mysql", name="shop/users"),),
        context=Context(run_id="run", action_id="action", at=datetime(2026, 1, 1, tzinfo=UTC)),
    )
