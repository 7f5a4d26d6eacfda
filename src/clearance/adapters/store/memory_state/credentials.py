"""Credentials, and the tokens that were used."""

from __future__ import annotations

import heapq
from datetime import datetime

from msgspec.structs import replace

from clearance.adapters.store.memory_state.counted import Counted
from clearance.core.model import Credential, CredentialKind
from clearance.errors import ConflictError, NotFoundError


class MemoryCredentials(Counted):
    """CredentialStore."""

    def __init__(self) -> None:
        super().__init__()
        self._credentials: dict[str, Credential] = {}
        self._used: set[tuple[str, str]] = set()
        self._until: list[tuple[datetime, tuple[str, str]]] = []  # a heap: what is past first

    def credentials(self, kind: CredentialKind | None = None, subject: str = "") -> list[Credential]:
        with self._lock:
            kept = [
                one
                for one in self._credentials.values()
                if kind in (None, one.kind) and subject in ("", one.subject)
            ]
        return sorted(kept, key=lambda one: (one.created_at, one.credential_id))

    def credential(self, credential_id: str) -> Credential | None:
        return self._credentials.get(credential_id)

    def add_credential(self, credential: Credential) -> None:
        with self._lock:
            if credential.credential_id in self._credentials:
                raise ConflictError("A credential of this id exists already.")
            self._credentials[credential.credential_id] = credential
            self._revision += 1

    def revoke_credential(self, credential_id: str, at: datetime) -> None:
        with self._lock:
            one = self._known(credential_id)
            self._change(one, replace(one, revoked_at=one.revoked_at or at))

    def expire_credential(self, credential_id: str, at: datetime) -> None:
        with self._lock:
            one = self._known(credential_id)
            ends = at if one.expires_at is None else min(one.expires_at, at)
            self._change(one, replace(one, expires_at=ends))

    def use_once(self, issuer: str, token_id: str, *, until: datetime, at: datetime) -> bool:
        with self._lock:
            while self._until and self._until[0][0] <= at:
                self._used.discard(heapq.heappop(self._until)[1])
            if (issuer, token_id) in self._used:
                return False
            self._used.add((issuer, token_id))
            heapq.heappush(self._until, (until, (issuer, token_id)))
            return True

    def _change(self, before: Credential, after: Credential) -> None:
        if after != before:
            self._credentials[after.credential_id] = after
            self._revision += 1

    def _known(self, credential_id: str) -> Credential:
        found = self._credentials.get(credential_id)
        if found is None:
            raise NotFoundError("There is no key of this id.")
        return found
