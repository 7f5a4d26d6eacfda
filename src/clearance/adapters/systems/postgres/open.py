"""What the kind `postgres` opens. Nothing is connected for a system before it is asked for something."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance.adapters.systems.postgres.connection import connect, look
from clearance.adapters.systems.postgres.options import read_options
from clearance.adapters.systems.postgres.reader import Reader
from clearance.adapters.systems.postgres.session import PostgresSession
from clearance.adapters.systems.postgres.system import PostgresSystem


def open_system(name: str, options: Mapping[str, Any], *, images: Path) -> PostgresSystem:  # noqa: ARG001
    """Images live in the database itself, so `images` stays empty. Raises ConfigurationError."""
    return PostgresSystem(name, read_options(name, options))


def open_session(name: str, options: Mapping[str, Any], *, images: Path) -> PostgresSession:  # noqa: ARG001
    """Raises ConfigurationError, SystemUnavailableError."""
    read = read_options(name, options)
    connection = connect(read.main, read)
    try:
        server = look(connection, read)
        return PostgresSession(name, connection, server=server, options=read, reader=Reader(connection))
    except BaseException:
        connection.close()
        raise
