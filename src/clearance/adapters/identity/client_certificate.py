"""A client certificate that a trusted proxy verified (`x-forwarded-client-cert`). No X.509 here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from clearance.adapters.identity.admission import Admittance
from clearance.adapters.identity.claims import unfit
from clearance.adapters.identity.spiffe_id import agent_of
from clearance.config import SpiffeProvider
from clearance.core.model import Person, Principal, Proof
from clearance.errors import AuthenticationError
from clearance.ports import Presented

_MOST_CHARACTERS: Final = 16_384
_PAIR: Final = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",;]*)')


class CertificateIdentity:
    """Believes the header only of whom it is told to believe; then it must name exactly one SPIFFE id."""

    def __init__(
        self, proxies: Sequence[str], providers: Sequence[SpiffeProvider], admittance: Admittance
    ) -> None:
        self._proxies: Final = tuple(map(ip_network, proxies))
        self._providers: Final = {one.trust_domain: one for one in providers}
        self._admittance: Final = admittance

    def identify(self, presented: Presented, at: datetime) -> Principal | Person | None:  # noqa: ARG002
        """Raises AuthenticationError. May write a newcomer into the registry."""
        found = self._found(presented)
        if found is None:
            return None
        principal, provider = found
        if not self._admittance.is_settled(principal, provider):
            self._admittance.admit(principal, provider)
        return principal

    def identify_known(self, presented: Presented, at: datetime) -> Principal | Person | None:  # noqa: ARG002
        """None for a newcomer."""
        found = self._found(presented)
        return found[0] if found is not None and self._admittance.is_settled(*found) else None

    def _found(self, presented: Presented) -> tuple[Principal, SpiffeProvider] | None:
        """None where no certificate counts, and something else is there that may."""
        header = presented.client_certificate
        if not header:
            return None
        if not _is_among(presented.peer, self._proxies):
            if presented.credential:
                return None  # anybody can send a header; the credential beside it is judged alone
            raise AuthenticationError(
                "A client certificate counts only where a trusted proxy forwards it.",
                reason="proxy_untrusted",
            )
        spiffe_id = uri_of(header)
        provider = self._providers.get(spiffe_id.removeprefix("spiffe://").partition("/")[0])
        if provider is None:
            raise unfit("(a client certificate) has a SPIFFE id of another trust domain")
        return Principal(agent=agent_of(spiffe_id, provider), proof=Proof.MTLS), provider


def uri_of(header: str) -> str:
    """The one URI of the one certificate. Raises AuthenticationError.

    Two elements are two hops: which of them the proxy verified, and which it was sent, cannot be told.
    """
    uris: list[str] = []
    at = 0
    while len(header) <= _MOST_CHARACTERS:
        pair = _PAIR.match(header, at)
        if pair is None:
            break
        if pair[1].lower() == "uri":
            uris.append(pair[2])
        at = pair.end()
        if at == len(header):
            if len(uris) == 1 and uris[0].startswith("spiffe://"):
                return uris[0]
            break
        if header[at] != ";":
            break
        at += 1
    raise unfit("(a forwarded client certificate) does not name exactly one SPIFFE id")


def _is_among(peer: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
