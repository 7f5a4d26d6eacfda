"""Whether a name that a provider vouches for may act here: registered, taken in, retired or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clearance.adapters.identity.standing import Standing
from clearance.config import Admission, Provider
from clearance.core.model import ActorKind, AgentSource, Principal
from clearance.errors import AuthenticationError

Arrived = Callable[..., object]  # `Registry.arrived`


class Admittance:
    """Asks the registry; tells it of newcomers."""

    def __init__(self, standing: Standing, arrived: Arrived) -> None:
        self._standing: Final = standing
        self._arrived: Final = arrived

    def is_settled(self, principal: Principal, provider: Provider) -> bool:
        """False: the agent is new, and `admit` takes it in. Raises AuthenticationError."""
        names = (
            principal.agent,
            *(actor.name for actor in principal.on_behalf_of if actor.kind is ActorKind.AGENT),
        )
        if any(map(self._standing.is_retired, names)):
            raise AuthenticationError(
                "The agent that the credential names is retired.", reason="agent_retired"
            )
        if self._standing.is_known(principal.agent):
            return True
        if provider.agents is Admission.REGISTERED:
            raise AuthenticationError(
                "No agent has this name, and new ones are not taken in here: have it registered.",
                reason="agent_unknown",
            )
        return False

    def admit(self, principal: Principal, provider: Provider) -> None:
        """Put a newcomer into the registry. Raises StoreError."""
        self._arrived(principal.agent, source=AgentSource.PROVIDER, by=f"provider:{provider.name}")
