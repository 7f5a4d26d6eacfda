"""JWTs and JWT-SVIDs as identities: read, verified, remembered until they end. Issuers say what they mean."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from clearance.adapters.identity import token as tokens
from clearance.adapters.identity.admission import Admittance
from clearance.adapters.identity.issuer import Issuer, Meaning
from clearance.adapters.identity.signature import SigningKey, check_algorithm
from clearance.adapters.identity.token import Unverified
from clearance.core.model import Person, Principal
from clearance.errors import AuthenticationError
from clearance.ports import CredentialStore, Presented

_MOST_REMEMBERED: Final = 10_000  # some 2 KiB each
_MOST_ATTEMPTS: Final = 3  # a refresh answers the first; another thread's may come between


class _Verified(Struct, frozen=True):
    issuer: Issuer
    meaning: Meaning
    thumbprint: str


class TokenIdentity:
    """Chooses the issuer by what the token says, and believes nothing else before its signature fits."""

    def __init__(
        self, issuers: Sequence[Issuer], admittance: Admittance, credentials: CredentialStore
    ) -> None:
        self._issuers = tuple(issuers)
        self._admittance = admittance
        self._credentials = credentials
        self._verified: dict[bytes, _Verified] = {}
        self._lock = threading.Lock()

    def identify(self, presented: Presented, at: datetime) -> Principal | Person | None:
        """Raises AuthenticationError. Asks the issuer where its keys are old or one is missing."""
        if not tokens.looks_like_token(presented.credential):
            return None
        for _ in range(_MOST_ATTEMPTS):
            verified = self._verify(presented.credential, at)
            if isinstance(verified, _Verified):
                return self._let_in(verified, at)
            verified.keys.refresh()
        raise AuthenticationError(
            "The token's issuer could not be asked for its keys: try again.", reason="issuer_unavailable"
        )

    def identify_known(self, presented: Presented, at: datetime) -> Principal | Person | None:
        """None where keys have to be fetched, the agent is new, or the token is good for one call only."""
        if not tokens.looks_like_token(presented.credential):
            return None
        verified = self._verify(presented.credential, at)
        if not isinstance(verified, _Verified) or verified.meaning.use_once:
            return None
        principal = verified.meaning.principal
        return principal if self._admittance.is_settled(principal, verified.issuer.provider) else None

    def _verify(self, text: str, at: datetime) -> _Verified | Issuer:
        """What it proves; or the issuer that has to be asked first. Raises AuthenticationError."""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        kept = self._verified.get(digest)
        if kept is not None and at < kept.meaning.until and kept.issuer.keys.holds(kept.thumbprint):
            return kept
        token = tokens.read(text)
        issuer = next((one for one in self._issuers if one.owns(token)), None)
        if issuer is None:
            raise AuthenticationError("The token's issuer is not configured here.", reason="token_issuer")
        check_algorithm(token.algorithm, issuer.provider.algorithms)
        key = issuer.keys.find(token)
        if key is None:
            return issuer
        return self._remembered(digest, _verified(issuer, token, key=key, at=at))

    def _remembered(self, digest: bytes, verified: _Verified) -> _Verified:
        if verified.meaning.use_once:
            return verified
        with self._lock:
            if len(self._verified) >= _MOST_REMEMBERED:
                self._verified.pop(next(iter(self._verified)))
            self._verified[digest] = verified
        return verified

    def _let_in(self, verified: _Verified, at: datetime) -> Principal:
        provider, meaning = verified.issuer.provider, verified.meaning
        is_settled = self._admittance.is_settled(meaning.principal, provider)
        if meaning.use_once and not self._credentials.use_once(
            provider.name, meaning.use_once, until=meaning.until, at=at
        ):
            raise AuthenticationError(
                "The token was used before, and is good for one call: get a new one.", reason="token_replayed"
            )
        if not is_settled:
            self._admittance.admit(meaning.principal, provider)
        return meaning.principal


def _verified(issuer: Issuer, token: Unverified, *, key: SigningKey, at: datetime) -> _Verified:
    key.verify(token, issuer.provider.algorithms)
    return _Verified(issuer, issuer.meaning(token, at), key.thumbprint)
