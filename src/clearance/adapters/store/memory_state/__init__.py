"""Policies, registry, holds and brakes of one process: the twin of `sqlite/state`. Nothing outlives it."""

from clearance.adapters.store.memory_state.stores import MemoryState

__all__ = ["MemoryState"]
