"""Clearance's own credentials: `<prefix>_<id>_<secret>`. The secret is shown once, kept as its SHA-256."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from clearance.adapters.identity.standing import Standing
from clearance.core.model import (
    PREFIX_OF,
    Actor,
    Bounds,
    Credential,
    CredentialKind,
    Person,
    Principal,
    Proof,
)
from clearance.errors import AuthenticationError
from clearance.ports import CredentialStore, PeopleStore, Presented

# One message for every failure: which part was wrong is nobody's business.
_REFUSED = "The key is missing, unknown, expired or revoked."
_NO_HASH = "0" * 64
_PREFIXES = frozenset(PREFIX_OF.values())


class KeyIdentity:
    """Looks credentials up in the store. 256 random bits need no slow hash: there is nothing to guess."""

    def __init__(self, credentials: CredentialStore, people: PeopleStore, agents: Standing) -> None:
        self._credentials = credentials
        self._people = people
        self._agents = agents

    def identify(self, presented: Presented, at: datetime) -> Principal | Person | None:
        """Raises AuthenticationError."""
        return self.identify_known(presented, at)

    def identify_known(self, presented: Presented, at: datetime) -> Principal | Person | None:
        """The same: the store is here."""
        if not is_own(presented.credential):
            return None
        stored = found(self._credentials, presented.credential, at)
        if stored is None:
            raise AuthenticationError(_REFUSED)
        if stored.kind is CredentialKind.DELEGATION:
            raise AuthenticationError(
                "A delegation is not a key: send it beside the agent's own credential.",
                reason="delegation_invalid",
            )
        if stored.kind is CredentialKind.AGENT_KEY:
            if self._agents.is_retired(stored.subject):
                raise AuthenticationError(_REFUSED)
            return Principal(agent=stored.subject, proof=Proof.API_KEY, bounds=stored.bounds)
        person = self._people.person(stored.subject)
        if person is None or not person.is_active:
            raise AuthenticationError(_REFUSED)
        return person


def is_own(text: str) -> bool:
    """Whether a text has the form of Clearance's credentials. What it is good for, only the store says."""
    return text.partition("_")[0] in _PREFIXES


def found(credentials: CredentialStore, text: str, at: datetime) -> Credential | None:
    """The stored credential of a text, where the secret is right and it is valid now."""
    _, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    stored = credentials.credential(key_id) if key_id else None
    # Compare in any case, so that an unknown id takes as long as a wrong secret.
    same = hmac.compare_digest(_hash(secret), stored.secret_hash if stored else _NO_HASH)
    return stored if stored is not None and same and stored.is_valid(at) else None


def new_key(
    subject: str,
    *,
    at: datetime,
    kind: CredentialKind = CredentialKind.AGENT_KEY,
    expires_at: datetime | None = None,
    label: str = "",
    bounds: tuple[Bounds, ...] = (),
    on_behalf_of: tuple[Actor, ...] = (),
) -> tuple[str, Credential]:
    """A fresh credential: the text to show once, and what to keep of it."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    stored = Credential(
        credential_id=key_id,
        kind=kind,
        subject=subject,
        secret_hash=_hash(secret),
        created_at=at,
        expires_at=expires_at,
        label=label,
        bounds=bounds,
        on_behalf_of=on_behalf_of,
    )
    return f"{PREFIX_OF[kind]}_{key_id}_{secret}", stored


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
