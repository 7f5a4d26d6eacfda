"""A real MariaDB, from Debian's package: one server a worker, a fresh database a test."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator

import pymysql
import pytest

from tests.servers.process import Server, account, free_port, missing, owned_directory, run

# The tests that kill processes kill clients, not the machine.
LIGHT = ("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M")
_numbers = itertools.count()


def start(options: tuple[str, ...] = LIGHT) -> tuple[Server, dict[str, object]]:
    """A server and what `pymysql.connect` needs to reach it as its superuser."""
    install, program = shutil.which("mariadb-install-db"), shutil.which("mariadbd") or "/usr/sbin/mariadbd"
    if install is None or shutil.which(program) is None:
        missing("MariaDB", "apt-get install mariadb-server-core mariadb-client-core (no service is needed)")
        raise AssertionError
    directory = owned_directory("clearance-maria-")
    data = f"--datadir={directory}/data"
    user = account()
    as_user = [f"--user={user}"] if user else []
    run([install, "--no-defaults", data, "--auth-root-authentication-method=normal", *as_user])
    port = free_port()
    files = [f"--socket={directory}/s.sock", f"--pid-file={directory}/pid", f"--tmpdir={directory}"]
    network = ["--bind-address=127.0.0.1", f"--port={port}"]
    server = Server([program, "--no-defaults", data, *files, *network, "--skip-log-bin", *options], directory)
    where: dict[str, object] = {"host": "127.0.0.1", "port": port, "user": "root", "password": ""}
    server.wait_until(lambda: pymysql.connect(**where).close())  # type: ignore[arg-type]
    return server, where


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[dict[str, object]]:
    """Where to reach a server that lives as long as the worker."""
    server, where = start()
    yield where
    server.stop()


@pytest.fixture
def mariadb_dsn(mariadb_server: dict[str, object]) -> Iterator[str]:
    """The DSN of an empty database that only this test uses."""
    name = f"test_{next(_numbers)}"
    with pymysql.connect(**mariadb_server) as connection:  # type: ignore[arg-type]
        connection.cursor().execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        yield f"mysql://root@127.0.0.1:{mariadb_server['port']}/{name}"
        connection.cursor().execute(f"DROP DATABASE {name}")
