"""One connection to MySQL or MariaDB with every setting pinned that a count or an undo rests on.

Never sends more than one statement at a time, and never a value in an error of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import pymysql
from pymysql.constants import CLIENT, SERVER_STATUS
from pymysql.cursors import Cursor

from clearance.adapters.systems.mysql.options import Options, Place
from clearance.errors import SystemUnavailableError

# Modes under which text reads otherwise than the classifier reads it, or a row otherwise than it was stored.
_NEVER = {
    *(
        "ANSI",
        "ANSI_QUOTES",
        "NO_BACKSLASH_ESCAPES",
        "IGNORE_SPACE",
        "PIPES_AS_CONCAT",
        "HIGH_NOT_PRECEDENCE",
    ),
    *("ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB", "EMPTY_STRING_IS_NULL", "PAD_CHAR_TO_FULL_LENGTH"),
}
# Modes that refuse to copy what a table holds already: zero dates, mostly.
_STRICT = {
    *("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ZERO_DATE", "NO_ZERO_IN_DATE", "TRADITIONAL"),
    *("ERROR_FOR_DIVISION_BY_ZERO", "ONLY_FULL_GROUP_BY"),
}
_WHY = {
    1205: "a lock was not free in time; the statement was taken back: try again",
    1213: "a deadlock: the server rolled back the whole transaction, earlier changes too; begin it anew",
    1412: "a table is younger than this transaction: commit or roll back, then try again",
    1969: "the statement took longer than `statement_timeout_seconds`",
    3024: "the statement took longer than `statement_timeout_seconds`",
    1045: "the server refused the credential",
    1044: "the account has no right to this database",
    1142: "the account lacks a right that the guard needs (see the page on MySQL)",
    1049: "the database does not exist",
}
_CRC32C = (10, 8)  # the first MariaDB with a second, independent cyclic redundancy check
_LOST = (2002, 2003, 2006, 2013, 2014, 2055, 1040, 1053, 1927)
DEADLOCK = 1213


class Link:
    """A connection and its settings. `agent_mode` is for statements of others, `image_mode` for copies."""

    def __init__(self, name: str, place: Place, options: Options) -> None:
        self.name = name
        self.schema = place.schema
        self._place, self._options = place, options
        self.agent_mode = self.image_mode = self.fingerprint = ""
        self.is_mariadb = False
        self.folds_names = self.has_crc32c = False
        self._connection: pymysql.Connection[Cursor] | None = None

    def open(self) -> Link:
        """Raises SystemUnavailableError."""
        place, limits = self._place, self._options
        with reaching(self.name):
            self._connection = pymysql.connect(
                host=place.host,
                port=place.port,
                user=place.user,
                password=place.password,
                database=place.schema,
                charset="utf8mb4",
                autocommit=False,
                connect_timeout=limits.connect_timeout_seconds,
                read_timeout=limits.statement_timeout_seconds + limits.lock_timeout_seconds + 10,
                write_timeout=limits.statement_timeout_seconds,
                client_flag=CLIENT.FOUND_ROWS,
                local_infile=False,
            )
            self._learn()
            self.pin()
        return self

    def _learn(self) -> None:
        version, mode, folds, schema = self.row(
            "SELECT VERSION(), @@GLOBAL.sql_mode, @@lower_case_table_names, DATABASE()"
        )
        self.is_mariadb = "mariadb" in str(version).lower()
        self.has_crc32c = self.is_mariadb and _numbers(str(version)) >= _CRC32C
        self.folds_names = bool(folds)
        modes = [mode for mode in str(mode).split(",") if mode and mode not in _NEVER]
        self.agent_mode = ",".join(modes)
        kept = [mode for mode in modes if mode not in _STRICT]
        self.image_mode = ",".join([*kept, "NO_AUTO_VALUE_ON_ZERO", "ALLOW_INVALID_DATES"])
        self.fingerprint = f"mysql:{self._server()}/{schema}"

    def _server(self) -> str:
        """MySQL has a UUID; MariaDB a `server_uid` from 10.10 on; before, the place of its data must do."""
        for query in ("SELECT @@server_uuid", "SELECT @@server_uid"):
            try:
                return str(self.row(query)[0])
            except pymysql.err.MySQLError:
                continue
        where = "\0".join(str(part) for part in self.row("SELECT @@hostname, @@port, @@datadir"))
        return blake2b(where.encode(), digest_size=12).hexdigest()

    def pin(self) -> None:
        """Set again every setting that a count or an undo rests on."""
        limits = self._options
        seconds = limits.statement_timeout_seconds
        timeout = (
            f"max_statement_time={seconds}" if self.is_mariadb else f"max_execution_time={seconds * 1000}"
        )
        isolation = "tx_isolation" if self.is_mariadb else "transaction_isolation"
        self.run(
            f"SET SESSION sql_mode='{self.agent_mode}', time_zone='+00:00', foreign_key_checks=1,"
            f" unique_checks=1, autocommit=0, sql_safe_updates=0, completion_type=0, timestamp=DEFAULT,"
            f" innodb_lock_wait_timeout={limits.lock_timeout_seconds}, {isolation}='REPEATABLE-READ',"
            f" lock_wait_timeout={limits.lock_timeout_seconds}, {timeout}"
        )
        self.run("SET NAMES utf8mb4")

    def run(self, statement: str) -> Cursor:
        """Send one statement. Raises the driver's error."""
        cursor = self.raw.cursor()
        cursor.execute(statement)
        return cursor

    def batch(self, statements: Sequence[str]) -> list[list[tuple[Any, ...]]]:
        """The guard's own statements, in one round trip on MariaDB; the rows of each that returns any.

        Stops at the first that fails. Never holds a part of somebody else's statement.
        """
        if not self.is_mariadb:
            cursors = [self.run(statement) for statement in statements]
            return [list(cursor.fetchall()) for cursor in cursors if cursor.description]
        cursor = self.run(f"BEGIN NOT ATOMIC {'; '.join(statements)}; END")
        found = []
        while True:
            if cursor.description:
                found.append(list(cursor.fetchall()))
            if not cursor.nextset():
                return found

    def copy(self, statement: str) -> int:
        """Copy rows as they are stored, also those that the agent's mode would refuse; how many."""
        if self.is_mariadb:
            return self.run(f"SET STATEMENT sql_mode='{self.image_mode}' FOR {statement}").rowcount
        self.run(f"SET SESSION sql_mode='{self.image_mode}'")
        copied = self.run(statement).rowcount
        self.run(f"SET SESSION sql_mode='{self.agent_mode}'")
        return copied

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return list(self.run(statement).fetchall())

    def row(self, statement: str) -> tuple[Any, ...]:
        found = self.rows(statement)
        return found[0] if found else ()

    def number(self, statement: str) -> int:
        return int(self.row(statement)[0])

    @property
    def raw(self) -> pymysql.Connection[Cursor]:
        if self._connection is None:
            raise SystemUnavailableError(f"system `{self.name}`: the connection is closed")
        return self._connection

    @property
    def in_transaction(self) -> bool:
        return bool(self.raw.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)  # type: ignore[attr-defined]

    @property
    def thread(self) -> int:
        """The server's number of this connection."""
        return int(self.raw.thread_id())  # type: ignore[no-untyped-call]

    def text(self, statement: str, parameters: object) -> str:
        """The statement as it is sent, its parameters put in by the driver."""
        if parameters is None or parameters == () or parameters == {}:
            return statement
        return str(self.raw.cursor().mogrify(statement, parameters))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close() if self._connection.open else None
            self._connection = None


def _numbers(version: str) -> tuple[int, ...]:
    """10.11 of `5.5.5-10.11.6-MariaDB`, which is how some proxies show it, and of `10.11.6-MariaDB`."""
    parts = version.removeprefix("5.5.5-").split("-")[0].split(".")
    return tuple(int(part) for part in parts[:2] if part.isdigit())


@contextmanager
def reaching(name: str) -> Iterator[None]:
    """What keeps the server from answering becomes SystemUnavailableError; it quotes nothing."""
    try:
        yield
    except pymysql.err.MySQLError as error:
        raise unavailable(name, error) from error


def unavailable(name: str, error: BaseException) -> SystemUnavailableError:
    number = code(error)
    why = _WHY.get(number, f"the server could not be used (error {number})")
    return SystemUnavailableError(f"system `{name}`: {why}")


def is_ours(error: BaseException) -> bool:
    """Whether an error is not of the statement's making: the server, a lock, a limit."""
    return code(error) in (*_LOST, 1205, DEADLOCK, 1412, 1969, 3024)


def code(error: BaseException) -> int:
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0


def quoted(*names: str) -> str:
    return ".".join(f"`{name.replace('`', '``')}`" for name in names)


def literal(text: str) -> str:
    """A string literal for the pinned mode, where a backslash escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
