"""Every store but the journal, of one directory: opened and closed together."""

from __future__ import annotations

from typing import Protocol

from clearance.ports.approvals import GrantStore, HoldStore, Outbox
from clearance.ports.brake import BrakeStore
from clearance.ports.identity import AgentStore, CredentialStore, PeopleStore
from clearance.ports.pins import PinStore
from clearance.ports.policies import PolicyStore


class State(Protocol):
    """Safe to share between threads and, where it is a file, between processes."""

    @property
    def policies(self) -> PolicyStore: ...
    @property
    def agents(self) -> AgentStore: ...
    @property
    def credentials(self) -> CredentialStore: ...
    @property
    def people(self) -> PeopleStore: ...
    @property
    def holds(self) -> HoldStore: ...
    @property
    def grants(self) -> GrantStore: ...
    @property
    def brakes(self) -> BrakeStore: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def pins(self) -> PinStore: ...

    def close(self) -> None:
        """Let go."""
