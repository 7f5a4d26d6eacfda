"""Everything but the journal in one small file, each change power-safe before it returns."""

from clearance.adapters.store.sqlite.state.stores import SqliteState

__all__ = ["SqliteState"]
