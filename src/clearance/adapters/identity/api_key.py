"""Clearance keys: `clr_<id>_<secret>`. The secret is shown once and kept only as its SHA-256."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from clearance.core.model import Principal, Proof
from clearance.errors import AuthenticationError
from clearance.ports import AgentStore, KeyScope, StoredKey

_PREFIX = "clr"
# One message for every failure: which part was wrong is nobody's business.
_REFUSED = "The key is missing, unknown, expired or revoked."
_NO_HASH = "0" * 64


class ApiKeyIdentity:
    """Looks keys up in the agent store. 256 random bits need no slow hash: there is nothing to guess."""

    def __init__(self, agents: AgentStore) -> None:
        self._agents = agents

    def identify(self, credential: str, at: datetime) -> tuple[Principal, KeyScope]:
        """Raises AuthenticationError."""
        key_id, secret = _parts(credential)
        stored = self._agents.key(key_id) if key_id else None
        # Compare in any case, so that an unknown id takes as long as a wrong secret.
        same = hmac.compare_digest(_hash(secret), stored.secret_hash if stored else _NO_HASH)
        if stored is None or not same or not _is_valid(stored, at):
            raise AuthenticationError(_REFUSED)
        return Principal(agent=stored.agent, proof=Proof.API_KEY), stored.scope


def new_key(
    agent: str, *, scope: KeyScope, at: datetime, expires_at: datetime | None = None
) -> tuple[str, StoredKey]:
    """A fresh key: the text to show once, and what to keep of it."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    stored = StoredKey(
        key_id=key_id,
        agent=agent,
        scope=scope,
        secret_hash=_hash(secret),
        created_at=at,
        expires_at=expires_at,
    )
    return f"{_PREFIX}_{key_id}_{secret}", stored


def _parts(credential: str) -> tuple[str, str]:
    prefix, _, rest = credential.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == _PREFIX and key_id and secret else ("", "")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _is_valid(key: StoredKey, at: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or at < key.expires_at)
