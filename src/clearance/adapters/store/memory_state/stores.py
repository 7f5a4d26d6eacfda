"""Every store but the journal, of one process."""

from __future__ import annotations

from clearance.adapters.store.memory_state.agents import MemoryAgents
from clearance.adapters.store.memory_state.brakes import MemoryBrakes
from clearance.adapters.store.memory_state.credentials import MemoryCredentials
from clearance.adapters.store.memory_state.grants import MemoryGrants
from clearance.adapters.store.memory_state.holds import MemoryHolds
from clearance.adapters.store.memory_state.outbox import MemoryOutbox
from clearance.adapters.store.memory_state.people import MemoryPeople
from clearance.adapters.store.memory_state.pins import MemoryPins
from clearance.adapters.store.memory_state.policies import MemoryPolicies


class MemoryState:
    """Every store but the journal, of one process."""

    def __init__(self) -> None:
        self.policies = MemoryPolicies()
        self.agents = MemoryAgents()
        self.credentials = MemoryCredentials()
        self.people = MemoryPeople()
        self.holds = MemoryHolds()
        self.grants = MemoryGrants()
        self.brakes = MemoryBrakes()
        self.outbox = MemoryOutbox()
        self.pins = MemoryPins()

    def follow_turns(self, call_soon: object) -> None:
        """Nobody else changes anything."""

    def close(self) -> None:
        """Nothing outlives the process."""
