"""Journal, policies, agents and keys: an embedded store that several processes may share, and its twin."""

from clearance.adapters.store.memory import MemoryJournal, MemoryState
from clearance.adapters.store.sqlite import SqliteJournal, SqliteState

__all__ = ["MemoryJournal", "MemoryState", "SqliteJournal", "SqliteState"]
