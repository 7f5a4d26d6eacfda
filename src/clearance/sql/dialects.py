"""SQLAlchemy dialects for guarded connections: `postgresql+clearance`, `mysql+clearance`, `sqlite+clearance`.

Each is the dialect of the driver underneath, without what reaches past the connection into the driver. The
URL is opened by `clearance.sql.connect`; `connect_args={"client": …}` says whose actions the statements are.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from clearance.sql.connect import connect
from clearance.sql.connection import Connection


class _Guarded:
    """What the three have in common: who connects, and nothing done behind the connection's back."""

    driver = "clearance"
    own_level: str  # the engine's default, which a guarded session keeps

    def create_connect_args(self, url: URL) -> tuple[tuple[str], dict[str, Any]]:
        plain = url.set(drivername=url.drivername.partition("+")[0])
        return (plain.render_as_string(hide_password=False),), {}

    def connect(self, *arguments: Any, **options: Any) -> Connection:
        return connect(*arguments, **options)

    def on_connect(self) -> None:
        """The driver's own preparations are the guarded session's to make."""

    def set_isolation_level(self, dbapi_connection: Connection, level: str) -> None:
        """Only whether each statement is committed by itself can be chosen."""
        dbapi_connection.autocommit = level == "AUTOCOMMIT"

    def get_isolation_level(self, dbapi_connection: Connection) -> str:
        return "AUTOCOMMIT" if dbapi_connection.autocommit else self.own_level

    def do_ping(self, dbapi_connection: Connection) -> bool:
        return not dbapi_connection.closed


class GuardedPostgres(_Guarded, PGDialect_psycopg):
    """`postgresql+clearance://…`"""

    own_level = "READ COMMITTED"
    supports_statement_cache = True

    def __init__(self, **options: Any) -> None:
        super().__init__(use_native_hstore=False, **options)  # type: ignore[no-untyped-call]


class GuardedMySQL(_Guarded, MySQLDialect_pymysql):
    """`mysql+clearance://…`"""

    own_level = "REPEATABLE READ"
    supports_statement_cache = True

    def _detect_charset(self, _: Any) -> str:
        return "utf8mb4"  # a guarded session speaks no other


class GuardedSQLite(_Guarded, SQLiteDialect_pysqlite):
    """`sqlite+clearance:///path`"""

    own_level = "SERIALIZABLE"
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, _: URL) -> type[QueuePool]:
        return QueuePool
