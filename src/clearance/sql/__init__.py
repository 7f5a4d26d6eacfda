"""Guarded database connections (PEP 249): every statement is counted, decided and captured before COMMIT."""

from clearance.sql.connect import connect
from clearance.sql.connection import Connection
from clearance.sql.cursor import Cursor

apilevel = "2.0"
threadsafety = 1  # threads may share the module, not a connection
paramstyle = "pyformat"  # PostgreSQL and MySQL; SQLite takes its own `?` and `:name`

__all__ = ["Connection", "Cursor", "apilevel", "connect", "paramstyle", "threadsafety"]
