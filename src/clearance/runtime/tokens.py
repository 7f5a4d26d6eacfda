"""Sessions of people and tokens of services: made, listed, rotated, ended. A text is given out once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from clearance.core.model import Credential, CredentialKind
from clearance.errors import NotFoundError, RequestError
from clearance.ports import CredentialStore
from clearance.runtime.mediator import Clock

KINDS = (CredentialKind.SESSION, CredentialKind.SERVICE_TOKEN)
SESSION_HOURS = 12
TOKEN_DAYS = 90


class NewCredential(Protocol):
    """Makes a credential: its text, and what to keep of it (`adapters.identity.new_key`)."""

    def __call__(
        self,
        subject: str,
        *,
        at: datetime,
        kind: CredentialKind,
        expires_at: datetime | None,
        label: str = "",
    ) -> tuple[str, Credential]: ...


class Tokens:
    """Thread-safe. Records nothing: `People` does, before it asks for any of this."""

    def __init__(self, store: CredentialStore, *, clock: Clock, make: NewCredential) -> None:
        self._store = store
        self._clock = clock
        self._make = make

    def session(self, name: str, *, label: str = "") -> tuple[str, Credential]:
        """One that ends by itself."""
        ends = self._clock() + timedelta(hours=SESSION_HOURS)
        return self._kept(name, CredentialKind.SESSION, ends, label)

    def token(self, name: str, *, expires_at: datetime | None, label: str = "") -> tuple[str, Credential]:
        """A service's; without a time it ends after TOKEN_DAYS."""
        at = self._clock()
        ends = at + timedelta(days=TOKEN_DAYS) if expires_at is None else expires_at
        if ends <= at:
            raise RequestError("A token cannot end before it begins.", reason="wrong_value")
        return self._kept(name, CredentialKind.SERVICE_TOKEN, ends, label)

    def rotated(self, old: Credential, *, overlap_seconds: float) -> tuple[str, Credential]:
        """A successor that lives as long as the old one would have; the old one ends after the overlap."""
        at = self._clock()
        lives = (old.expires_at or at + timedelta(days=TOKEN_DAYS)) - old.created_at
        made = self._kept(old.subject, old.kind, at + lives, old.label)
        self._store.expire_credential(old.credential_id, at + timedelta(seconds=overlap_seconds))
        return made

    def one(self, credential_id: str, kind: CredentialKind) -> Credential:
        """Raises NotFoundError, also for a credential of another kind."""
        found = self._store.credential(credential_id)
        if found is None or found.kind is not kind:
            what = "token" if kind is CredentialKind.SERVICE_TOKEN else "session"
            raise NotFoundError(f"There is no {what} of this id.")
        return found

    def valid_token(self, credential_id: str) -> Credential:
        """A service's token that holds now. Raises NotFoundError."""
        found = self.one(credential_id, CredentialKind.SERVICE_TOKEN)
        if not found.is_valid(self._clock()):
            raise NotFoundError("There is no valid token of this id.")
        return found

    def revoke(self, credential_id: str, kind: CredentialKind) -> Credential:
        """At once and for good."""
        self.one(credential_id, kind)
        self._store.revoke_credential(credential_id, self._clock())
        return self.one(credential_id, kind)

    def revoke_all(self, name: str, *kinds: CredentialKind) -> int:
        """All that a person has, of these kinds; how many were still good."""
        at = self._clock()
        ended = [one for kind in kinds for one in self._store.credentials(kind, name) if one.is_valid(at)]
        for one in ended:
            self._store.revoke_credential(one.credential_id, at)
        return len(ended)

    def list(self, kind: CredentialKind, name: str = "") -> list[Credential]:
        """Oldest first; sessions only while they hold."""
        found = self._store.credentials(kind, name)
        if kind is CredentialKind.SESSION:
            at = self._clock()
            found = [one for one in found if one.is_valid(at)]
        return found

    def _kept(
        self, name: str, kind: CredentialKind, expires_at: datetime, label: str
    ) -> tuple[str, Credential]:
        text, stored = self._make(name, at=self._clock(), kind=kind, expires_at=expires_at, label=label)
        self._store.add_credential(stored)
        return text, stored
