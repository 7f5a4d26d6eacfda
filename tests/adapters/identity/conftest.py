"""A house with one identity provider: a real issuer on loopback, a store, a clock that is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clearance.adapters.identity import proofs
from clearance.adapters.store import MemoryState
from clearance.config import IdentitySettings, OidcProvider
from clearance.core.model import Agent, AgentSource, AgentStatus, Person, Principal
from clearance.errors import AuthenticationError
from clearance.ports import Identity, Presented
from clearance.runtime.identities import Identities
from tests.servers.issuer import Issuer


class House:
    """Everything wired as the product wires it, but for the two clocks."""

    def __init__(self, issuer: Issuer, **options: Any) -> None:
        self.issuer = issuer
        self.state = MemoryState()
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.seconds = 1_000.0  # whole: what is counted in seconds is compared to the second
        self.arrivals: list[tuple[str, AgentSource, str]] = []
        self.use(OidcProvider(**{"name": "idp", "issuer": issuer.url, "audience": ("clearance",), **options}))

    def use(self, *providers: Any, trusted_proxies: tuple[str, ...] = ()) -> None:
        self.providers = providers
        settings = IdentitySettings(providers=providers, trusted_proxies=trusted_proxies)
        self.identity: Identity = Identities(
            proofs(settings, self.state, arrived=self._arrived, seconds=lambda: self.seconds)
        )

    def _arrived(self, name: str, *, source: AgentSource, by: str) -> None:
        self.arrivals.append((name, source, by))
        self.state.agents.add_agent(Agent(name=name, created_at=self.now, source=source))

    def claims(self, **given: Any) -> dict[str, Any]:
        """Good ones, but for what is given; None leaves one out."""
        now = int(self.now.timestamp())
        good = {
            "iss": self.issuer.url,
            "aud": "clearance",
            "sub": "crm",
            "client_id": "crm",
            "iat": now,
            "exp": now + 300,
        }
        return {name: value for name, value in {**good, **given}.items() if value is not None}

    def token(self, *, header: dict[str, Any] | None = None, key_id: str | None = "k1", **given: Any) -> str:
        return self.issuer.token(self.claims(**given), header=header, key_id=key_id)

    def who(self, token: str = "", **presented: str) -> Principal | Person | None:
        return self.identity.identify(Presented(credential=token, **presented), self.now)

    def agent(self, token: str = "", **presented: str) -> Principal:
        found = self.who(token, **presented)
        assert isinstance(found, Principal)
        return found

    def known(self, token: str) -> Principal | Person | None:
        return self.identity.identify_known(Presented(credential=token), self.now)

    def reason(self, token: str = "", **presented: str) -> str:
        """Why it is refused."""
        with pytest.raises(AuthenticationError) as refused:
            self.who(token, **presented)
        for shown in (str(refused.value), repr(refused.value)):
            assert not token or token not in shown
        return refused.value.reason

    def later(self, **passed: float) -> None:
        step = timedelta(**passed)
        self.now += step
        self.seconds += step.total_seconds()

    def retire(self, name: str) -> None:
        self.state.agents.replace_agent(Agent(name=name, created_at=self.now, status=AgentStatus.RETIRED))


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    serving = Issuer()
    yield serving
    serving.close()


@pytest.fixture
def house(issuer: Issuer) -> House:
    return House(issuer)
