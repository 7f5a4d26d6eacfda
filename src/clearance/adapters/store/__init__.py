"""The journal, and all other state: an embedded store that several processes may share, and its twin."""

from clearance.adapters.store.memory import MemoryJournal
from clearance.adapters.store.memory_state import MemoryState
from clearance.adapters.store.sqlite import SqliteJournal, SqliteState

__all__ = ["MemoryJournal", "MemoryState", "SqliteJournal", "SqliteState"]
