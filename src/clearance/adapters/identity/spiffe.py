"""JWT-SVIDs of one SPIFFE trust domain."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from clearance.adapters.identity import claims as read
from clearance.adapters.identity.fetch import fetch
from clearance.adapters.identity.issuer import Meaning, Seconds
from clearance.adapters.identity.key_source import KeySource
from clearance.adapters.identity.signature import SigningKey, signing_keys
from clearance.adapters.identity.spiffe_id import agent_of
from clearance.adapters.identity.token import Unverified, malformed
from clearance.config import SpiffeProvider
from clearance.core.model import Principal, Proof

_TYPES: Final = frozenset(("", "JWT", "JOSE"))  # JWT-SVID, section 2.3


class SpiffeIssuer:
    """One trust domain. Its bundle is read when the first SVID comes, and again as its settings say."""

    def __init__(self, provider: SpiffeProvider, seconds: Seconds) -> None:
        self.provider: Final = provider
        self.keys: Final = KeySource(lambda: _bundle(provider), provider, seconds=seconds)

    def owns(self, token: Unverified) -> bool:
        """A look-alike of the domain (another case, a port, a suffix) is not of it."""
        subject = token.claims.get("sub")
        mine = f"spiffe://{self.provider.trust_domain}/"
        return bool(self.provider.bundle) and isinstance(subject, str) and subject.startswith(mine)

    def meaning(self, token: Unverified, at: datetime) -> Meaning:
        """Raises AuthenticationError."""
        if token.token_type not in _TYPES:
            raise malformed("is of another type than an SVID is")
        read.check_audience(token.claims, self.provider.audience)
        until = read.check_times(token.claims, at, leeway_seconds=self.provider.leeway_seconds)
        agent = agent_of(token.claims.get("sub"), self.provider)
        return Meaning(principal=Principal(agent=agent, proof=Proof.SVID), until=until)


def _bundle(provider: SpiffeProvider) -> list[SigningKey]:
    """SPIFFE Trust Domain and Bundle, section 4.2.2: keys of another use sign no JWT-SVID."""
    if "://" in provider.bundle:
        document = fetch(provider.bundle, timeout_seconds=provider.timeout_seconds)
    else:
        document = Path(provider.bundle).read_bytes()
    return signing_keys(document, use="jwt-svid")
