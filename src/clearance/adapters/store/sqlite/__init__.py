"""The embedded store: a directory of SQLite files that several processes may share."""

from clearance.adapters.store.sqlite.journal import SqliteJournal
from clearance.adapters.store.sqlite.state import SqliteState

__all__ = ["SqliteJournal", "SqliteState"]
