"""From settings to identities: everything that can prove who asks, in the order in which it is asked."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

from clearance.adapters.identity.admission import Admittance, Arrived
from clearance.adapters.identity.api_key import KeyIdentity
from clearance.adapters.identity.client_certificate import CertificateIdentity
from clearance.adapters.identity.delegation import Delegations
from clearance.adapters.identity.standing import Standing
from clearance.config import IdentitySettings, OidcProvider, SpiffeProvider
from clearance.ports import Identity, State


class Proofs(Struct, frozen=True, kw_only=True):
    """`bearers` read `Presented.credential`, `certificate` the forwarded one; `delegations` extend either."""

    bearers: tuple[Identity, ...]
    certificate: Identity | None
    delegations: Delegations


def proofs(
    settings: IdentitySettings,
    state: State,
    *,
    arrived: Arrived,
    seconds: Callable[[], float] = time.monotonic,
) -> Proofs:
    """Raises ConfigurationError where a provider needs what is not installed. Asks no network."""
    standing = Standing(state.agents)
    admittance = Admittance(standing, arrived)
    bearers: list[Identity] = [KeyIdentity(state.credentials, state.people, standing)]
    if settings.providers:
        bearers.append(_tokens(settings, state, admittance=admittance, seconds=seconds))
    return Proofs(
        bearers=tuple(bearers),
        certificate=_certificates(settings, admittance),
        delegations=Delegations(state.credentials, state.people, standing),
    )


def _tokens(
    settings: IdentitySettings, state: State, *, admittance: Admittance, seconds: Callable[[], float]
) -> Identity:
    # On demand: they need the extra `identity`, and nobody waits for it who has no provider.
    from clearance.adapters.identity.oidc import OidcIssuer
    from clearance.adapters.identity.spiffe import SpiffeIssuer
    from clearance.adapters.identity.tokens import TokenIdentity

    issuers = [
        OidcIssuer(one, seconds) if isinstance(one, OidcProvider) else SpiffeIssuer(one, seconds)
        for one in settings.providers
    ]
    return TokenIdentity(issuers, admittance, state.credentials)


def _certificates(settings: IdentitySettings, admittance: Admittance) -> Identity | None:
    domains = [one for one in settings.providers if isinstance(one, SpiffeProvider)]
    if not settings.trusted_proxies:
        return None
    return CertificateIdentity(settings.trusted_proxies, domains, admittance)
