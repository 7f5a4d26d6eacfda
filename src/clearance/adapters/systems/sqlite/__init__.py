"""SQLite through apsw: what a statement touches is counted by the engine, kept, and put back."""

from clearance.adapters.systems.sqlite.session import open_session
from clearance.adapters.systems.sqlite.system import open_system

__all__ = ["open_session", "open_system"]
