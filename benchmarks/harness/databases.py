"""Real databases for claims, each with a table of accounts; two connections to it, one of them guarded."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROWS = 2_400_000
MILLION = 1_000_000
_DURABLE = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class Database:
    """`plain` and `guarded` run one statement and commit. `rebuild` makes the table anew."""

    name: str
    driver: str
    plain: Callable[[str], object]
    guarded: Callable[[str], Any]
    undo: Callable[[Any], object]
    rebuild: Callable[[], object]


@contextmanager
def database(engine: str, directory: str) -> Iterator[Database]:
    """One engine, started if need be, with the accounts in it. Everything goes with the context."""
    with _SERVERS[engine](Path(directory)) as (dsn, driver, plain, execute_all):
        from clearance import Client
        from clearance.adapters.systems import install_guard
        from clearance.sql import connect

        def rebuild() -> None:
            execute_all(_SCHEMA[engine])

        rebuild()
        install_guard(engine, {"dsn": dsn})
        with Client(Path(directory) / "store", agent="bench") as client:
            for policy in client.policies.list():
                client.policies.delete(policy["name"])
            options = {"most_rows": 2 * MILLION}
            with connect(dsn, client=client, autocommit=True, **options) as connection:
                yield Database(
                    name=engine,
                    driver=driver,
                    plain=plain,
                    guarded=connection.execute,
                    undo=lambda done: client.undo(done.cleared),
                    rebuild=rebuild,
                )


@contextmanager
def _postgres(_: Path) -> Iterator[Any]:
    import psycopg

    from tests.servers import postgres

    server, dsn = postgres.start({**_DURABLE})
    try:
        with psycopg.connect(f"{dsn}/postgres", autocommit=True) as connection:
            yield f"{dsn}/postgres", f"psycopg {psycopg.__version__}", connection.execute, connection.execute
    finally:
        server.stop()


@contextmanager
def _mysql(_: Path) -> Iterator[Any]:
    import pymysql

    from tests.servers import mariadb

    server, where = mariadb.start(("--innodb-buffer-pool-size=1G", "--innodb-log-file-size=2G"))
    try:
        connection = pymysql.connect(**where, autocommit=True)  # type: ignore[arg-type]
        connection.cursor().execute("CREATE DATABASE bench")
        connection.select_db("bench")

        def execute(statement: str) -> object:
            return connection.cursor().execute(statement)

        def execute_all(script: str) -> None:
            for statement in script.split(";"):
                if statement.strip():
                    execute(statement)

        yield (
            f"mysql://root@127.0.0.1:{where['port']}/bench",
            f"PyMySQL {pymysql.__version__}",
            execute,
            execute_all,
        )
    finally:
        server.stop()


@contextmanager
def _sqlite(directory: Path) -> Iterator[Any]:
    path = directory / "bench.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    yield (
        f"sqlite:///{path}",
        f"sqlite3 {sqlite3.sqlite_version}",
        connection.execute,
        connection.executescript,
    )
    connection.close()


_SERVERS = {"postgres": _postgres, "mysql": _mysql, "sqlite": _sqlite}
_SCHEMA = {
    "postgres": f"""
        DROP TABLE IF EXISTS accounts;
        CREATE TABLE accounts (id bigint PRIMARY KEY, name text NOT NULL, balance bigint NOT NULL, note text);
        INSERT INTO accounts SELECT n, 'account ' || n, n % 1000, 'note of the account ' || n
        FROM generate_series(1, {ROWS}) AS n;
        ANALYZE accounts;
    """,
    "mysql": f"""
        DROP TABLE IF EXISTS accounts;
        CREATE TABLE accounts (id bigint PRIMARY KEY, name varchar(40) NOT NULL, balance bigint NOT NULL,
                               note varchar(60)) ENGINE = InnoDB;
        INSERT INTO accounts
        SELECT seq, concat('account ', seq), seq % 1000, concat('note of the account ', seq)
        FROM seq_1_to_{ROWS};
    """,
    "sqlite": f"""
        DROP TABLE IF EXISTS accounts;
        CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, balance INTEGER NOT NULL,
                               note TEXT);
        INSERT INTO accounts
        WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})
        SELECT n, 'account ' || n, n % 1000, 'note of the account ' || n FROM n;
    """,
}
