"""Every store but the journal, of one directory: opened and closed together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clearance.ports.approvals import GrantStore, HoldStore, Outbox
from clearance.ports.brake import BrakeStore
from clearance.ports.identity import AgentStore, CredentialStore, PeopleStore
from clearance.ports.pins import PinStore
from clearance.ports.policies import PolicyStore

CallSoon = Callable[[Callable[[], None]], object]  # an event loop's


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

    def follow_turns(self, call_soon: CallSoon | None) -> None:
        """A server's event loop runs in this thread: what others changed is looked for once in each turn.

        `call_soon` is the loop's; None when it ends.
        """

    def close(self) -> None:
        """Let go."""
