"""Access tokens of an OpenID provider: where its keys are, and which agent a token of it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from clearance.adapters.identity import claims as read
from clearance.adapters.identity.fetch import fetch
from clearance.adapters.identity.issuer import Meaning, Seconds
from clearance.adapters.identity.key_source import KeySource
from clearance.adapters.identity.signature import SigningKey, signing_keys
from clearance.adapters.identity.token import Unverified, malformed
from clearance.config import OidcProvider, SubjectKind, is_loopback_url
from clearance.core.model import MOST_ACTORS, Actor, ActorKind, Bounds, Principal, Proof
from clearance.core.policy.bounds import NOTHING

_DISCOVERY: Final = "/.well-known/openid-configuration"
_TYPES: Final = frozenset(("", "jwt", "at+jwt"))  # logout, DPoP and event tokens prove nobody


class OidcIssuer:
    """One provider. The keys are fetched when the first token of it comes."""

    def __init__(self, provider: OidcProvider, seconds: Seconds) -> None:
        self.provider: Final = provider
        self.keys: Final = KeySource(lambda: fetch_keys(provider), provider, seconds=seconds)

    def owns(self, token: Unverified) -> bool:
        """To the character: a slash more is another issuer."""
        return token.claims.get("iss") == self.provider.issuer

    def meaning(self, token: Unverified, at: datetime) -> Meaning:
        """Raises AuthenticationError."""
        claims, provider = token.claims, self.provider
        _check_type(token, provider.token_type)
        read.check_audience(claims, provider.audience)
        until = read.check_times(claims, at, leeway_seconds=provider.leeway_seconds)
        if "cnf" in claims:
            raise read.unfit("is bound to a key of its holder (`cnf`), which cannot be proven here")
        token_id = read.name_of(claims.get("jti"), "`jti`") if provider.single_use else ""
        return Meaning(principal=_principal(claims, provider), until=until, use_once=token_id)


def fetch_keys(provider: OidcProvider) -> list[SigningKey]:
    """What the provider signs with now. Raises OSError, ValueError."""
    uri = provider.jwks_uri or _discovered(provider)
    return signing_keys(fetch(uri, timeout_seconds=provider.timeout_seconds))


def _discovered(provider: OidcProvider) -> str:
    """OpenID Connect Discovery 1.0, section 4: a document that names another issuer is not this one's."""
    url = provider.issuer.rstrip("/") + _DISCOVERY
    try:
        document = json.loads(fetch(url, timeout_seconds=provider.timeout_seconds))
    except RecursionError:
        raise ValueError("a discovery document that is nested too deep") from None
    if not isinstance(document, dict) or document.get("issuer") != provider.issuer:
        raise ValueError("a discovery document of another issuer")
    uri = document.get("jwks_uri")
    if not isinstance(uri, str) or (is_loopback_url(uri) and not is_loopback_url(provider.issuer)):
        raise ValueError("a discovery document without a `jwks_uri` that may be followed")
    return uri


def _check_type(token: Unverified, wanted: str) -> None:
    said = token.token_type.lower().removeprefix("application/")
    if said not in ({wanted.lower().removeprefix("application/")} if wanted else _TYPES):
        raise malformed("is of another type than access tokens are")


def _principal(claims: Mapping[str, Any], provider: OidcProvider) -> Principal:
    agents = read.actors(claims, prefix=provider.agent_prefix)
    agent = (
        agents[0] if agents else read.acting_agent(claims, provider.agent_claim, prefix=provider.agent_prefix)
    )
    roles = read.roles(claims, provider.roles_claim, provider.roles)
    subject = _subject(claims, provider, agent=agent, is_delegated=bool(agents), roles=roles)
    chain = (*(Actor(name=name) for name in agents[1:]), *subject)
    if len(chain) > MOST_ACTORS:
        raise read.unfit("has a chain that is too long")
    return Principal(
        agent=agent,
        # What a token says of roles, it says of its subject: a delegate gains none by it.
        roles=() if subject or agents else roles,
        on_behalf_of=chain,
        proof=Proof.TOKEN,
        bounds=_bounds(claims, provider.scopes),
    )


def _subject(
    claims: Mapping[str, Any],
    provider: OidcProvider,
    *,
    agent: str,
    is_delegated: bool,
    roles: tuple[str, ...],
) -> tuple[Actor, ...]:
    """On whose behalf: `sub`, where it is somebody else than the agent."""
    if provider.subject is SubjectKind.NONE or ("sub" not in claims and not is_delegated):
        return ()
    if not is_delegated and provider.agent_prefix + read.name_of(claims["sub"], "`sub`") == agent:
        return ()
    if provider.subject is SubjectKind.AGENT:
        name = read.agent_name(claims.get("sub"), "`sub`", prefix=provider.agent_prefix)
        return (Actor(name=name, roles=roles),)
    return (Actor(name=read.name_of(claims.get("sub"), "`sub`"), kind=ActorKind.PERSON, roles=roles),)


def _bounds(claims: Mapping[str, Any], scopes: Mapping[str, Bounds] | None) -> tuple[Bounds, ...]:
    """The granted scopes together, or nothing at all where none was granted."""
    if scopes is None:
        return ()
    granted = read.scopes(claims)
    found = tuple(bounds for scope, bounds in scopes.items() if scope in granted)
    return (Bounds(any_of=found) if len(found) > 1 else found[0] if found else NOTHING,)
