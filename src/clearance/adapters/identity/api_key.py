"""Clearance's own credentials: `<prefix>_<id>_<secret>`. The secret is shown once, kept as its SHA-256."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

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

    def __init__(self, credentials: CredentialStore, people: PeopleStore) -> None:
        self._credentials = credentials
        self._people = people

    def identify(self, presented: Presented, at: datetime) -> Principal | Person | None:
        """Raises AuthenticationError."""
        return self.identify_known(presented, at)

    def identify_known(self, presented: Presented, at: datetime) -> Principal | Person | None:
        """The same: the store is here."""
        prefix, key_id, secret = _parts(presented.credential)
        if prefix not in _PREFIXES:
            return None
        stored = self._credentials.credential(key_id) if key_id else None
        # Compare in any case, so that an unknown id takes as long as a wrong secret.
        same = hmac.compare_digest(_hash(secret), stored.secret_hash if stored else _NO_HASH)
        if stored is None or not same or not stored.is_valid(at):
            raise AuthenticationError(_REFUSED)
        if stored.kind is CredentialKind.AGENT_KEY:
            return Principal(agent=stored.subject, proof=Proof.API_KEY, bounds=stored.bounds)
        person = self._people.person(stored.subject)
        if stored.kind is CredentialKind.DELEGATION or person is None or not person.is_active:
            raise AuthenticationError(_REFUSED)
        return person


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


def _parts(credential: str) -> tuple[str, str, str]:
    prefix, _, rest = credential.partition("_")
    key_id, _, secret = rest.partition("_")
    return prefix, key_id, secret


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
